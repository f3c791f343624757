import { beforeEach, describe, expect, it } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { Cluster, Redis } from 'ioredis';
import { guardNodes } from '../../../lib/redis/node-guard.js';
import type { Topology } from '../../../lib/redis/topology.js';
import type { CircuitChange } from '../../../lib/resilience/circuit-breaker.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

/** A master that refuses every PING. */
const master = (port: number): Redis =>
  Object.assign(new EventEmitter(), {
    options: { host: 'h', port },
    status: 'ready',
    ping: () => Promise.reject(new Error('gone')),
  }) as unknown as Redis;

describe('guardNodes in a cluster', () => {
  let clock: ManualClock;
  let cluster: EventEmitter & { slots: string[][]; isCluster: true };
  let masters: Redis[];
  let changes: CircuitChange[];

  beforeEach(() => {
    clock = new ManualClock();
    masters = [master(1), master(2)];
    changes = [];
    cluster = Object.assign(new EventEmitter(), {
      slots: [['h:1'], ['h:2']],
      isCluster: true as const,
    });
  });

  function open() {
    const whole = { name: 'cluster h:1', client: cluster as unknown as Cluster };
    const topology = {
      shards: () => [whole],
      connections: () => [
        whole,
        ...masters.map((client) => ({ name: `h:${client.options.port}`, client })),
      ],
    } as unknown as Topology;
    const onStateChange = (change: CircuitChange): void => void changes.push(change);
    return guardNodes(topology, { readMs: 100, writeMs: 100, clock, onStateChange });
  }
  const fail = (guard: ReturnType<typeof open>['guard'], node: string) =>
    Promise.allSettled(
      Array.from({ length: 5 }, () =>
        guard.run('read', 'read', () => Promise.reject(new Error('gone')), node),
      ),
    );

  it('B12 refresh — a master has no slot and no connection any more → forgotten, no PING, told once', async () => {
    const { guard } = open();
    await fail(guard, 'h:2');
    expect(guard.state('h:2')).toBe('open');
    cluster.slots = [['h:1'], ['h:1']];
    masters.pop();
    cluster.emit('refresh');
    expect([...guard.health().keys()]).toEqual([]);
    expect(changes.map(({ state }) => state)).toEqual(['open', 'closed']);
    expect(changes[1]!.message).toContain('h:2 is none of the servers any more');
    clock.advance(1_000);
    expect(clock.pendingTimers).toBe(0);
    await fail(guard, 'h:2');
    expect(guard.state('h:2')).toBe('open');
  });

  it('B12 refresh — one that has slots and no connection, or the other way round → stays', async () => {
    const { guard } = open();
    for (const node of ['h:1', 'h:2', 'cluster h:1']) await fail(guard, node);
    cluster.slots = [['h:1'], ['h:1']];
    masters.shift();
    cluster.emit('refresh');
    expect([...guard.health().keys()]).toEqual(['h:1', 'h:2', 'cluster h:1']);
  });

  it('a master is connected again → asked at once', async () => {
    const { guard } = open();
    const node = master(2);
    let asked = 0;
    masters = [Object.assign(node, { ping: async () => void asked++ }) as unknown as Redis];
    cluster.emit('+node', node);
    await fail(guard, 'h:2');
    node.emit('ready');
    await new Promise(setImmediate);
    expect([asked, guard.state('h:2')]).toEqual([1, 'closed']);
  });

  it('B12 a PING — the last one is unanswered → no other over that connection, but over a new one', async () => {
    let asked = 0;
    const ping = (): Promise<never> => (asked++, new Promise(() => undefined));
    const node: Redis = Object.assign(master(1), { ping, stream: {} }) as unknown as Redis;
    masters = [node];
    const { guard } = open();
    await fail(guard, 'h:1');
    const pass = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) {
        clock.advance(700);
        await new Promise(setImmediate);
      }
    };
    await pass();
    expect(asked).toBe(1);
    Object.assign(node, { stream: {} });
    await pass();
    expect([asked, guard.state('h:1')]).toEqual([2, 'open']);
    guard.close();
  });

  it('unwatch → no listener is left', () => {
    const { unwatch } = open();
    const node = master(3);
    cluster.emit('+node', node);
    expect(node.listenerCount('ready')).toBe(1);
    unwatch();
    expect([node, cluster].map((emitter) => emitter.eventNames())).toEqual([[], []]);
  });

  it('T6 unwatch — somebody else hears the errors of a client, too → all as it was before', () => {
    const [one, other, gone] = [...masters, master(3)] as [Redis, Redis, Redis];
    for (const node of [one, other, gone]) node.on('error', () => undefined);
    // No limit.
    other.setMaxListeners(0);
    const limits = (): number[] => [one, other, gone].map((node) => node.getMaxListeners());
    const before = limits();
    const { unwatch } = open();
    cluster.emit('+node', gone);
    expect(one.listenerCount('error')).toBeGreaterThan(1);
    expect(limits()).toEqual([before[0]! + 2, 0, before[2]! + 2]);
    cluster.emit('-node', gone);
    expect(gone.eventNames()).toEqual(['error']);
    unwatch();
    expect([one, other, gone].map((node) => node.eventNames())).toEqual(Array(3).fill(['error']));
    expect([one, other, gone].map((node) => node.listenerCount('error'))).toEqual([1, 1, 1]);
    expect(limits()).toEqual(before);
  });
});
