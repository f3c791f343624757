import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import type { Topology } from '../../lib/redis/topology.js';
import { RedisTagTable } from '../../lib/tags/redis-tag-table.js';
import type { TestServer } from '../support/server.js';
import { startServer } from '../support/start-server.js';
import { waitFor } from '../support/wait-for.js';
import { isValid, knows } from '../../lib/tags/tag-table.js';
import {
  check,
  load,
  openTopology,
  patientGuard,
  TwoShards,
  type Entry,
} from './support/tag-backends.js';

/** The server's mean time for one call is in µs. */
function usageIn(commandstats: string, command: string): { calls: number; meanMicros: number } {
  const pattern = `cmdstat_${command}:calls=(\\d+),usec=\\d+,usec_per_call=([\\d.]+)`;
  const found = new RegExp(pattern).exec(commandstats);
  return { calls: Number(found?.[1] ?? 0), meanMicros: Number(found?.[2] ?? 0) };
}

describe('RedisTagTable', () => {
  let server: TestServer;
  let raw: Redis;
  let topology: Topology;
  let table: RedisTagTable;
  let path: string;
  let key: string;
  let head: string;

  beforeAll(async () => {
    server = await startServer();
    raw = new Redis(server.url);
    topology = openTopology(server.url);
    table = new RedisTagTable(topology, { guard: patientGuard() });
    await topology.connect();
  });
  beforeEach(() => {
    path = `tags/${randomUUID()}`;
    key = `${path}:{t0}:g`;
    head = `${path}:{t0}:v`;
  });
  afterAll(async () => {
    await topology.close();
    raw.disconnect();
    await server.stop();
  });

  /** Calls of that command since the last look. */
  async function callsOf(command: string): Promise<number> {
    const stats = await raw.info('commandstats');
    await raw.config('RESETSTAT');
    return usageIn(stats, command).calls;
  }

  it('a table → one sorted set of whole microseconds, which does not expire', async () => {
    const version = await table.bump(path, ['x']);
    const cleared = await table.clear(path);
    const members = await raw.zrange(key, '0', '-1');
    const scores = (await raw.zmscore(key, members)).map(Number);
    expect(members).toEqual(['b', 't:x', '*', 'c']);
    expect(scores).toEqual([version, version, cleared, cleared]);
    expect(await raw.ttl(key)).toBe(-1);
    const [seconds] = await raw.time();
    expect(Math.abs(version / 1e6 - Number(seconds))).toBeLessThan(60);
  });

  describe('a tick', () => {
    const turn = (): Promise<void> => new Promise(setImmediate);
    beforeEach(async () => {
      await table.clock(`${path}:k`);
      await raw.config('RESETSTAT');
    });

    it('all that is asked of one table → one ZMSCORE, to each its answer', async () => {
      const version = await table.bump(path, ['x']);
      const later = async (): Promise<number | undefined> => {
        for (let i = 0; i < 10; i++) await Promise.resolve();
        return ofTag('y');
      };
      const ofTag = async (tag: string): Promise<number | undefined> =>
        (await table.versions(`${path}:k ${tag}`, [tag]))!.tags.get(tag);
      const others = Array.from({ length: 500 }, (_, i) => ofTag(`tag ${i}`));
      const asked = [table.clock(`${path}:k`), ofTag('x'), later(), ...others];
      expect(await Promise.all(asked)).toEqual([
        version,
        version,
        0,
        ...Array<number>(500).fill(0),
      ]);
      expect(await callsOf('zmscore')).toBe(1);
    });

    it('a check after the command was sent → a command of its own', async () => {
      const first = table.versions(`${path}:k`, ['x']);
      await turn();
      const version = Number(await raw.zscore(key, 'c')) + 5;
      await raw.zadd(key, version, 't:x');
      const second = (await table.versions(`${path}:k`, ['x']))!;
      expect(second.tags.get('x')).toBe(version);
      expect((await first)!.tags.get('x')).toBe(0);
      expect(await callsOf('zmscore')).toBe(2);
    });

    it('the head is asked for after its command was sent → a command of its own', async () => {
      const first = table.clock(`${path}:k`);
      await turn();
      const later = Number(await raw.zscore(key, 'c')) + 5;
      await raw.set(head, `${later} ${later}`);
      expect(await table.clock(`${path}:k`)).toBe(later);
      expect(await first).toBeLessThan(later);
    });

    it('2500 tags → three commands; two namespaces → one for both heads', async () => {
      await Promise.all(
        Array.from({ length: 2_500 }, (_, i) => table.versions(`${path}:k`, [`tag ${i}`])),
      );
      expect(await callsOf('zmscore')).toBe(3);
      await table.clock(`${path}/nested:k`);
      await raw.config('RESETSTAT');
      await Promise.all([table.clock(`${path}:k`), table.clock(`${path}/nested:k`)]);
      const stats = await raw.info('commandstats');
      expect(['mget', 'zmscore', 'evalsha'].map((name) => usageIn(stats, name).calls)).toEqual([
        1, 0, 0,
      ]);
    });

    it('the table is lost → one script for those who asked of the head, one for those who asked of tags', async () => {
      await raw.unlink(key, head);
      const clocks = Array.from({ length: 100 }, () => table.clock(`${path}:k`));
      const versions = Array.from({ length: 100 }, () => table.versions(`${path}:k`, ['x']));
      expect(new Set(await Promise.all(clocks)).size).toBe(1);
      expect(new Set(await Promise.all(versions))).toEqual(new Set([undefined]));
      expect(await callsOf('evalsha')).toBe(2);
    });
  });

  describe('the head', () => {
    it('G4 lost together with its table → both begin by one script', async () => {
      await table.bump(path, ['x']);
      await raw.unlink(key, head);
      await raw.config('RESETSTAT');
      expect(await table.glance(`${path}:k`, ['x'])).toBeUndefined();
      // On the same connection, and so behind whatever else was sent.
      await table.clear(path);
      expect(await callsOf('evalsha')).toBe(2);
      expect(await raw.exists(key, head)).toBe(2);
    });

    it('a table → its clock and its floor, which does not expire', async () => {
      const version = await table.bump(path, ['x']);
      const base = Number(await raw.zscore(key, 'b'));
      expect(await raw.get(head)).toBe(`${version} ${base}`);
      const cleared = await table.clear(path);
      expect(await raw.get(head)).toBe(`${cleared} ${cleared}`);
      expect(await raw.ttl(head)).toBe(-1);
    });

    it('entries whose tags were evicted → judged once by the table, then by what is known under this head', async () => {
      const old = await load(table, `${path}:k`, ['x']);
      await table.bump(path, ['x', 'y']);
      const young = await load(table, `${path}:k`, ['x']);
      const judge = async ({ redisKey, c0, tags }: Entry): Promise<boolean | 'unknown'> => {
        const versions = (await table.glance(redisKey, []))!;
        return knows(versions, c0, tags) ? isValid(c0, tags, versions) : 'unknown';
      };
      expect([await judge(old), await judge(young)]).toEqual(['unknown', true]);
      expect([await check(table, old), await check(table, young)]).toEqual([false, true]);
      await raw.config('RESETSTAT');
      expect([await judge(old), await judge(young)]).toEqual([false, true]);
      expect(await callsOf('zmscore')).toBe(0);
      await table.bump(path, ['z']);
      expect([await judge(old), await judge(young)]).toEqual(['unknown', 'unknown']);
    });

    it.each([
      ['missing', () => raw.unlink(head)],
      ['no head', () => raw.set(head, 'x')],
      ['a list', () => raw.multi().unlink(head).lpush(head, '1 1').exec()],
    ])('%s → the table itself is asked, and the head written again', async (_, spoil) => {
      const [old, plain] = [await load(table, `${path}:k`, ['x']), await load(table, `${path}:k`)];
      const version = await table.bump(path, ['x']);
      const before = await raw.get(head);
      await spoil();
      expect((await table.glance(`${path}:k`, ['x']))!.tags.get('x')).toBe(version);
      expect(await table.clock(`${path}:k`)).toBe(version);
      expect([await check(table, old), await check(table, plain)]).toEqual([false, true]);
      await waitFor(async () => (await raw.get(head).catch(() => '')) === before);
    });

    it('G4 missing, and later missing again → written again each time', async () => {
      await table.bump(path, ['x']);
      const before = await raw.get(head);
      for (let i = 0; i < 2; i++) {
        await raw.unlink(head);
        await table.glance(`${path}:k`, ['x']);
        await waitFor(async () => (await raw.get(head)) === before);
      }
    });

    it('G4 missing, many look in one tick → written again by one script', async () => {
      await table.bump(path, ['x']);
      await raw.unlink(head);
      await raw.config('RESETSTAT');
      await Promise.all(Array.from({ length: 50 }, () => table.glance(`${path}:k`, ['x'])));
      // On the same connection, and so behind whatever else was sent.
      await table.clear(path);
      expect(await callsOf('evalsha')).toBe(2);
    });

    it('missing, and the server takes no writes → reads go on by the table', async () => {
      const entry = await load(table, `${path}:k`, ['x']);
      await raw.unlink(head);
      await raw.config('SET', 'min-replicas-to-write', '1');
      try {
        expect(await check(table, entry)).toBe(true);
        expect(await table.glance(`${path}:k`, [])).toMatchObject({ clock: entry.c0 });
      } finally {
        await raw.config('SET', 'min-replicas-to-write', '0');
      }
    });
  });

  describe('what is not a whole table', () => {
    it.each([
      ['a string', () => raw.set(key, 'x')],
      ['a list', () => raw.multi().unlink(key).lpush(key, 'c', 'b').exec()],
      ['no clock', () => raw.zrem(key, 'c')],
      ['no base', () => raw.zrem(key, 'b')],
    ])(
      '%s → lost: older entries invalid, and it is made whole by whatever comes first',
      async (_, spoil) => {
        for (const first of [
          () => table.versions(`${path}:k`, ['x']),
          () => table.clock(`${path}:k`),
          () => table.bump(path, ['other']),
          () => table.clear(path),
        ]) {
          await raw.unlink(key);
          const entry = await load(table, `${path}:k`, ['x']);
          await table.bump(path, ['y']);
          await spoil();
          await first();
          expect(await check(table, entry)).toBe(false);
          expect(await check(table, await load(table, `${path}:k`, ['x', 'y']))).toBe(true);
        }
      },
    );
  });

  it('G4 the clock was lost, and tags from before are forgotten → what the loss made invalid stays so', async () => {
    const small = new RedisTagTable(topology, {
      guard: patientGuard(),
      limits: { keepMs: 86_400_000, maxTags: 2 },
    });
    for (const tag of ['a', 'b']) await small.bump(path, [tag]);
    const entry = await load(small, `${path}:k`, ['x']);
    await raw.zrem(key, 'c');
    await raw.unlink(head);
    await small.clock(`${path}:k`);
    expect(await check(small, entry)).toBe(false);
    await small.bump(path, ['d']);
    expect(await raw.zscore(key, 't:a')).toBeNull();
    expect(await check(small, entry)).toBe(false);
  });

  it('the clock of the server has gone back → versions grow all the same', async () => {
    const entry = await load(table, `${path}:k`, ['x']);
    const ahead = entry.c0 + 3_600_000_000;
    await raw.zadd(key, ahead, 'c');
    await raw.set(head, `${ahead} ${ahead - 1}`);
    const later = await load(table, `${path}:k`, ['x']);
    expect(later.c0).toBe(ahead);
    expect(await table.bump(path, ['x'])).toBe(ahead + 1);
    expect(await table.bump(path, ['x'])).toBe(ahead + 2);
    expect([await check(table, entry), await check(table, later)]).toEqual([false, false]);
    expect(await check(table, await load(table, `${path}:k`, ['x']))).toBe(true);
  });

  it('the clock of the server has gone back, and the clock member was lost → above every version', async () => {
    await table.clock(`${path}:k`);
    const ahead = Date.now() * 1_000 + 3_600_000_000;
    await raw.zadd(key, ahead, 't:x');
    await raw.zrem(key, 'c');
    await raw.unlink(head);
    expect(await table.clock(`${path}:k`)).toBe(ahead + 1);
  });

  describe('a full Redis', () => {
    beforeAll(async () => {
      await raw.set('full', 'x'.repeat(1_000));
      await raw.config('SET', 'maxmemory', '1');
    });
    afterAll(() => raw.config('SET', 'maxmemory', '0'));

    it('everything works: a new table, bump, clear, checks', async () => {
      await expect(raw.zadd(key, 1, 'x')).rejects.toThrow(/OOM/);
      expect(await table.versions(`${path}:k`, ['x'])).toBeUndefined();
      const [x, none] = [await load(table, `${path}:k`, ['x']), await load(table, `${path}:k`)];
      await table.bump(path, ['x']);
      expect([await check(table, x), await check(table, none)]).toEqual([false, true]);
      await table.clear(path);
      expect(await check(table, none)).toBe(false);
      expect(await check(table, await load(table, `${path}:k`, ['x']))).toBe(true);
      await raw.unlink(key);
      expect(await table.bump(path, ['x'])).toBeGreaterThan(x.c0);
    });
  });

  it('nothing can be added → the evict succeeds, and the table is lost', async () => {
    await raw.acl('SETUSER', 'taker', 'on', '>pw', '~*', '&*', '+@all', '-zadd');
    const other = openTopology(`redis://taker:pw@${server.host}:${server.port}`);
    await other.connect();
    const taker = new RedisTagTable(other, { guard: patientGuard() });
    for (const evict of [() => taker.bump(path, ['x']), () => taker.clear(path)]) {
      const entries = [await load(table, `${path}:k`, ['x']), await load(table, `${path}:k`)];
      await table.bump(path, ['other']);
      const version = await evict();
      expect(await raw.zmscore(key, 'c', 'b')).toEqual([null, null]);
      expect(await raw.exists(head)).toBe(0);
      for (const entry of entries) {
        expect(version).toBeGreaterThan(entry.c0);
        expect(await check(table, entry)).toBe(false);
      }
    }
    await expect(taker.clock(`${path}/new:k`)).rejects.toMatchObject({
      code: 'ERR_CACHE_CONNECTION',
      message: expect.stringContaining('initTags failed'),
    });
    await other.close();
  });

  it('nothing may be taken out → CacheConnectionError of the script, and the table as it was', async () => {
    await raw.acl('SETUSER', 'adder', 'on', '>pw', '~*', '&*', '+@all', '-zrem');
    const other = openTopology(`redis://adder:pw@${server.host}:${server.port}`);
    await other.connect();
    const adder = new RedisTagTable(other, { guard: patientGuard() });
    const entry = await load(table, `${path}:k`, ['x']);
    await expect(adder.bump(path, ['x'])).rejects.toMatchObject({
      code: 'ERR_CACHE_CONNECTION',
      message: expect.stringMatching(/^bumpTags failed at /),
    });
    expect(await check(adder, entry)).toBe(true);
    await other.close();
  });

  it('R8 SCRIPT FLUSH between any two steps → no difference', async () => {
    const entry = await load(table, `${path}:k`, ['x']);
    await raw.script('FLUSH');
    await table.bump(path, ['x']);
    expect(await check(table, entry)).toBe(false);
    await raw.script('FLUSH');
    await table.clear(path);
    await raw.unlink(key);
    await raw.script('FLUSH');
    expect(await table.clock(`${path}:k`)).toBeGreaterThan(entry.c0);
  });

  it('G4 100 000 tags in the table → the server’s time for a step is that of the tags asked for', async () => {
    for (let from = 0; from < 100_000; from += 10_000)
      await table.bump(
        path,
        Array.from({ length: 10_000 }, (_, i) => `tag ${from + i}`),
      );
    expect(await raw.zcard(key)).toBe(100_002);
    await raw.config('RESETSTAT');
    for (let i = 0; i < 200; i++) {
      await table.bump(path, [`tag ${i * 499}`, `new ${i}`]);
      await table.versions(`${path}:k`, [`tag ${i * 499}`, 'never']);
    }
    expect(await raw.zcard(key)).toBeLessThanOrEqual(100_002);
    const stats = await raw.info('commandstats');
    // To look at each of the tags would take 10 ms and more.
    for (const command of ['evalsha', 'zmscore']) {
      const { calls, meanMicros } = usageIn(stats, command);
      expect(calls).toBe(200);
      expect(meanMicros).toBeLessThan(2_000);
    }
  });

  describe('of two shards one is gone', () => {
    let gone: TestServer;
    let shards: TwoShards;
    let both: RedisTagTable;
    beforeAll(async () => {
      gone = await startServer();
      shards = new TwoShards([server.url, gone.url]);
      await shards.connect();
      both = new RedisTagTable(shards, { guard: patientGuard() });
    });
    afterAll(async () => {
      await shards.close();
      await gone.stop();
    });

    it('bump, clear → CacheConnectionError that names it, done on the other; repeated → done', async () => {
      const entries = [
        await load(both, `${path}:k0`, ['x']),
        await load(both, `${path}:k1`, ['x']),
      ];
      await gone.kill();
      const failure = {
        code: 'ERR_CACHE_CONNECTION',
        message: expect.stringMatching(
          /in 1 of 2 copies .*\{t0\}:g at shard-1; the first: bumpTags failed/,
        ),
        cause: expect.objectContaining({ code: 'ERR_CACHE_CONNECTION' }),
      };
      await expect(both.bump(path, ['x'])).rejects.toMatchObject(failure);
      expect(await check(both, entries[0]!)).toBe(false);
      await expect(check(both, entries[1]!)).rejects.toMatchObject({
        code: 'ERR_CACHE_CONNECTION',
      });
      await expect(both.clock(`${path}:k1`)).rejects.toMatchObject({
        code: 'ERR_CACHE_CONNECTION',
      });
      await expect(both.clear(path)).rejects.toMatchObject(failure);
      await gone.restart();
      await waitFor(async () => (await both.bump(path, ['x'])) > 0);
      for (const entry of entries) expect(await check(both, entry)).toBe(false);
    });
  });
});
