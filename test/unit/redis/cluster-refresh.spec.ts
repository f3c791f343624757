import { beforeEach, describe, expect, it } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { Cluster } from 'ioredis';
import { ClusterRefresh } from '../../../lib/redis/cluster-refresh.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

const LOOK_MS = 500;
const INTERVAL_MS = 5_000;

/** A connection to one node, which counts what is done with it. */
class Node {
  connects = 0;
  disconnects = 0;
  readonly options: { host: string; port: number };

  constructor(
    port: number,
    public status: string,
  ) {
    this.options = { host: 'node', port };
  }

  connect = (): Promise<void> => {
    this.connects++;
    return Promise.reject(new Error('nobody there'));
  };
  disconnect = (): void => void this.disconnects++;
}

/** A client as it looks from here. What it is asked is answered by the test. */
class FakeCluster extends EventEmitter {
  status = 'ready';
  readonly masters = [new Node(1, 'ready'), new Node(2, 'ready')];
  readonly replicas = [new Node(3, 'wait')];
  readonly slots = [['node:1', 'node:3'], ['node:2']];
  readonly asked: ((error?: Error) => void)[] = [];

  nodes = (role = 'all'): Node[] =>
    role === 'master' ? this.masters : [...this.masters, ...this.replicas];
  refreshSlotsCache = (done: (error?: Error) => void): void => void this.asked.push(done);
}

describe('ClusterRefresh', () => {
  let clock: ManualClock;
  let cluster: FakeCluster;
  let refresh: ClusterRefresh;

  beforeEach(() => {
    clock = new ManualClock();
    cluster = new FakeCluster();
    const options = { clock, intervalMs: INTERVAL_MS };
    refresh = new ClusterRefresh(cluster as unknown as Cluster, options);
    cluster.emit('ready');
  });

  /** So many looks, one after the other. */
  function look(times = 1): void {
    for (let i = 0; i < times; i++) clock.advance(LOOK_MS);
  }

  /** What the client does when a node has told of the slots. */
  function answer(): void {
    cluster.emit('refresh');
    cluster.asked.shift()!();
  }

  it('R8 all masters are there → asked after the interval, and again after another', () => {
    for (const _ of [1, 2]) {
      look(INTERVAL_MS / LOOK_MS - 1);
      expect(cluster.asked).toHaveLength(0);
      look();
      expect(cluster.asked).toHaveLength(1);
      // Once, for as long as it takes.
      look(3);
      expect(cluster.asked).toHaveLength(1);
      answer();
    }
  });

  it('R8 the table was read by somebody else → the interval begins anew', () => {
    look(INTERVAL_MS / LOOK_MS - 1);
    cluster.emit('refresh');
    look(INTERVAL_MS / LOOK_MS - 1);
    expect(cluster.asked).toHaveLength(0);
  });

  it('R8 a master is not connected, or has been given up → asked at each look', () => {
    cluster.masters[0]!.status = 'reconnecting';
    look();
    answer();
    cluster.masters.shift();
    look();
    answer();
    look();
    expect(cluster.asked).toHaveLength(1);
    cluster.slots.shift();
    answer();
    look();
    expect(cluster.asked).toHaveLength(0);
  });

  it('R8 the client has no cluster → not asked until it has one', () => {
    cluster.status = 'reconnecting';
    look(INTERVAL_MS / LOOK_MS + 1);
    expect(cluster.asked).toHaveLength(0);
    cluster.status = 'ready';
    look();
    expect(cluster.asked).toHaveLength(1);
  });

  it('R8 a master that is new → connected to once the cluster is ready; a replica is not', () => {
    const fresh = new Node(4, 'wait');
    cluster.masters.push(fresh);
    cluster.status = 'connect';
    cluster.emit('refresh');
    expect(fresh.connects).toBe(0);
    cluster.status = 'ready';
    cluster.emit('ready');
    expect(fresh.connects).toBe(1);
    expect([...cluster.masters.slice(0, 2), ...cluster.replicas].map((n) => n.connects)).toEqual([
      0, 0, 0,
    ]);
  });

  it('R8 no node answers → replicas that nobody connects to are given up, and asked again', () => {
    look(INTERVAL_MS / LOOK_MS);
    cluster.asked.shift()!(new Error('Failed to refresh slots cache.'));
    expect([...cluster.masters, ...cluster.replicas].map((n) => n.disconnects)).toEqual([0, 0, 1]);
    look();
    expect(cluster.asked).toHaveLength(1);
  });

  it('T11 stop — while it waits, and while it is asked → no timer, no listener, nothing is given up', () => {
    look(INTERVAL_MS / LOOK_MS);
    refresh.stop();
    cluster.asked.shift()!(new Error('Cluster is disconnecting.'));
    expect(cluster.replicas[0]!.disconnects).toBe(0);
    const other = new ClusterRefresh(cluster as unknown as Cluster, {
      clock,
      intervalMs: INTERVAL_MS,
    });
    expect(clock.pendingTimers).toBe(1);
    other.stop();
    expect(clock.pendingTimers).toBe(0);
    expect(cluster.eventNames()).toEqual([]);
  });
});
