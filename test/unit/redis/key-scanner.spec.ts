import { describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { systemClock } from '../../../lib/common/clock.js';
import { scanKeys } from '../../../lib/redis/key-scanner.js';
import type { Topology } from '../../../lib/redis/topology.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';

/** A server whose SCAN gives these, a list at each step, and how often it has been asked. */
function serverOf(steps: readonly string[][]) {
  const client = {
    asked: 0,
    stream: {},
    isCluster: false,
    scan: async (cursor: string): Promise<[string, readonly string[]]> => {
      client.asked++;
      const step = Number(cursor);
      return [`${(step + 1) % steps.length}`, steps[step]!];
    },
  };
  return client;
}

function scan(client: object, signal?: AbortSignal) {
  const shards = [{ name: 'one', client: client as Redis }];
  const topology = { kind: 'single', shards: () => shards, formerShards: () => [] };
  const guard = new CallGuard({ readMs: 2_000, writeMs: 2_000, clock: systemClock });
  return scanKeys(topology as unknown as Topology, '', { guard, signal });
}

const keys = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `k${from + i}`);

async function listed(steps: readonly string[][]): Promise<string[]> {
  const found: string[] = [];
  for await (const batch of scan(serverOf(steps))) found.push(...batch);
  return found;
}

describe('scanKeys', () => {
  it('G2 SCAN repeats one of the last 10 000 keys → once', async () => {
    expect(await listed([keys(0, 10_000), ['k0', 'k9999'], keys(10_000, 19_999), ['k5']])).toEqual(
      keys(0, 19_999),
    );
  });

  it('G2 SCAN repeats a key after 20 000 others → twice, for no more are remembered', async () => {
    const found = await listed([keys(0, 20_000), ['k0', 'k19999']]);
    expect(found).toEqual([...keys(0, 20_000), 'k0']);
  });

  it('G2 steps that find nothing → no batches', async () => {
    const batches: (readonly string[])[] = [];
    for await (const batch of scan(serverOf([[], ['a'], ['a'], [], ['b']]))) batches.push(batch);
    expect(batches).toEqual([['a'], ['b']]);
  });

  it('G2 aborted between two steps → its reason, and the server is not asked again', async () => {
    const server = serverOf([['a'], ['b']]);
    const abort = new AbortController();
    const scanning = scan(server, abort.signal);
    await scanning.next();
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(scanning.next()).rejects.toBe(reason);
    expect(server.asked).toBe(1);
  });
});
