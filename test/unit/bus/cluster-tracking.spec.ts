import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import type { Cluster, Redis } from 'ioredis';
import { ClusterTracking } from '../../../lib/bus/cluster-tracking.js';
import { JointSink } from '../../../lib/bus/joint-sink.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

const nodeNamed = (host: string, rest: object = {}): Redis =>
  ({ status: 'ready', options: { host, port: 1 }, ...rest }) as unknown as Redis;

/** A connection that is never there. */
function connectionTo(master: string, to: Set<string>): Redis {
  to.add(master);
  const client = Object.assign(new EventEmitter(), {
    options: {},
    status: 'connecting',
    connect: () => new Promise(() => undefined),
    disconnect: () => {
      to.delete(master);
      client.emit('end');
    },
  });
  return client as unknown as Redis;
}

/** The tracking of a client with these masters, which are not reached. */
function setUp(status: string, hosts: string[]) {
  const clock = new ManualClock();
  const cluster = Object.assign(new EventEmitter(), {
    status,
    masters: hosts.map((host) => nodeNamed(host)),
    nodes: (): Redis[] => cluster.masters,
  });
  const told: string[] = [];
  const sink = {
    open: () => told.push('open'),
    shut: () => told.push('shut'),
    distrust: () => told.push('distrust'),
    apply: () => told.push('apply'),
    changed: () => told.push('changed'),
    flushed: () => told.push('flushed'),
  };
  /** Masters to which there is a connection, or one is being made. */
  const tracked = new Set<string>();
  const tracking = new ClusterTracking({
    cluster: cluster as unknown as Cluster,
    createClient: ({ name }) => connectionTo(name, tracked),
    namespace: 'shop',
    channel: 'shop:b:me',
    guard: new CallGuard({ readMs: 100, writeMs: 100, clock }),
    clock,
    answerMs: 100,
    sink,
    joint: new JointSink(sink),
    onError: () => undefined,
  });
  const become = (event: string, change: { status?: string; masters?: Redis[] }): void => {
    Object.assign(cluster, change);
    cluster.emit(event);
  };
  return { cluster, become, told, tracked, tracking };
}

describe('ClusterTracking', () => {
  it('C10 the client has not asked yet who is a master → seeds are not tracked, and nothing is open', async () => {
    const { become, told, tracked, tracking } = setUp('connecting', ['seed']);
    tracking.start();
    become('+node', { status: 'connect' });
    expect([...tracked]).toEqual([]);
    become('ready', { status: 'ready', masters: [nodeNamed('a'), nodeNamed('b')] });
    expect([...tracked]).toEqual(['a:1', 'b:1']);
    expect(told).toEqual([]);
    await tracking.close();
  });

  it('C10 I5 another master takes the place of one that was not tracked → never open in between', async () => {
    const { become, told, tracked, tracking } = setUp('ready', ['a']);
    tracking.start();
    expect([...tracked]).toEqual(['a:1']);
    become('refresh', { masters: [nodeNamed('b')] });
    expect([...tracked]).toEqual(['b:1']);
    expect(told).toEqual([]);
    await tracking.close();
    expect([...tracked]).toEqual([]);
  });

  it.each(['+node', 'refresh', 'node error', '-node'])(
    'C10 %s → masters that have come are tracked, those that have gone are not any more',
    async (event) => {
      const { cluster, become, tracked, tracking } = setUp('ready', ['a', 'b']);
      tracking.start();
      become(event, { masters: [cluster.masters[1]!, nodeNamed('c')] });
      expect([...tracked]).toEqual(['b:1', 'c:1']);
      await tracking.close();
      become(event, { masters: [nodeNamed('d')] });
      expect([...tracked]).toEqual([]);
    },
  );

  it('C10 the client is closed, and its masters are still in its list → not tracked any more', async () => {
    const { become, tracked, tracking } = setUp('ready', ['a']);
    tracking.start();
    become('close', { status: 'reconnecting' });
    expect([...tracked]).toEqual([]);
    await tracking.close();
  });

  it('C10 a master to which the client has not connected yet → connected, and nobody is bothered if that fails', async () => {
    const { become, tracking } = setUp('ready', []);
    tracking.start();
    const unhandled: unknown[] = [];
    const hear = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', hear);
    let attempts = 0;
    const connect = (): Promise<void> => {
      attempts++;
      return Promise.reject(new Error('connect ECONNREFUSED'));
    };
    become('+node', { masters: [nodeNamed('a', { status: 'wait', connect })] });
    await new Promise(setImmediate);
    process.off('unhandledRejection', hear);
    expect([attempts, unhandled]).toEqual([1, []]);
    await tracking.close();
  });
});
