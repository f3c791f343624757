import { describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { surveyNodes, type NodeInfo } from '../../../lib/redis/node-survey.js';
import type { Shard, Topology } from '../../../lib/redis/topology.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

const clock = new ManualClock();

interface Server {
  tookMs?: number;
  status?: string;
  /** What INFO says of it; undefined: it is refused. */
  info?: string;
}

/** A connection to it, which says how often it was asked for INFO. */
function connectionTo(server: Server) {
  const client = {
    asked: 0,
    stream: {},
    ...{ isCluster: false, status: server.status ?? 'ready' },
    ping: async () => {
      if (server.tookMs === undefined) return 'PONG';
      await new Promise(setImmediate);
      clock.advance(server.tookMs);
      return 'PONG';
    },
    info: () => {
      client.asked++;
      return server.info === undefined
        ? Promise.reject(new Error('NOPERM'))
        : Promise.resolve(server.info);
    },
  };
  return client;
}

/** All connections to the one server. */
function ask(...clients: object[]): Promise<NodeInfo> {
  const connections = clients.map((client): Shard => ({ name: 'one', client: client as Redis }));
  const redis = {
    connections: () => connections,
    shards: () => connections.slice(0, 1),
  } as unknown as Topology;
  const guard = new CallGuard({ readMs: 100, writeMs: 100, clock });
  return surveyNodes({ redis, guard, clock }).then(([node]) => node!);
}

describe('surveyNodes', () => {
  it('B12 several connections → the time of the slowest; one that is not ready → not connected, and why', async () => {
    const well = connectionTo({});
    const slowest = await ask(well, connectionTo({ tookMs: 5 }));
    expect(slowest).toMatchObject({ connected: true, pingMs: 5, inFlight: 0, waiting: 0 });
    const node = await ask(connectionTo({ status: 'reconnecting' }), well);
    expect(node).toMatchObject({ connected: false, error: { code: 'ERR_CACHE_CONNECTION' } });
    expect(node.pingMs).toBeUndefined();
  });

  it('B12 INFO is refused → no version, and well all the same', async () => {
    const node = await ask(connectionTo({}));
    expect(node).toMatchObject({ connected: true, pingMs: 0 });
    expect(node).not.toHaveProperty('version');
    expect(node).not.toHaveProperty('error');
  });

  it('B12 INFO takes long → the time is that of the PING', async () => {
    const client = connectionTo({ tookMs: 5 });
    client.info = async () => {
      await new Promise(setImmediate).then(() => new Promise(setImmediate));
      clock.advance(50);
      return 'redis_version:7.0.1\r\n';
    };
    expect(await ask(client)).toMatchObject({ pingMs: 5, version: '7.0.1' });
  });

  it('B12 a connection that begins with the PING → well, and its version', async () => {
    const client = { ...connectionTo({ status: 'wait', info: 'redis_version:7.0.1\r\n' }) };
    const { stream: _, ...idle } = client;
    expect(await ask(idle)).toMatchObject({ pingMs: 0, version: '7.0.1' });
  });

  it('B12 version → asked for once by each connection, and again when it connects anew', async () => {
    const server: Server = { info: '# Server\r\nredis_version:7.0.1\r\nos:Linux\r\n' };
    const client = connectionTo(server);
    for (const _ of [1, 2]) expect((await ask(client)).version).toBe('7.0.1');
    expect(client.asked).toBe(1);
    server.info = 'redis_version:7.2.4\r\nvalkey_version:8.0.2\r\n';
    client.stream = {};
    expect((await ask(client)).version).toBe('8.0.2');
    expect(client.asked).toBe(2);
  });
});
