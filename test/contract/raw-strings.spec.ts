import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { openCache, plainClient, TOPOLOGIES, type TestCache } from '../support/caches.js';
import { waitFor } from '../support/wait-for.js';

const EVERY_BYTE = Buffer.from([...Array(256).keys(), 13, 10]);
const MOST = Number.MAX_SAFE_INTEGER;

describe.each(TOPOLOGIES)('raw strings on %s', (topology) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology);
    service = cache.service;
  });

  it('B7 S2 set, get — any text, any bytes → the same', async () => {
    const { raw } = service;
    for (const text of ['', 'text', 'Zürich 東京 🙂', 'a\0b\r\n', '5']) {
      expect(await raw.set('key', text)).toBe(true);
      expect(await raw.get('key')).toBe(text);
      expect(await raw.getBuffer('key')).toEqual(Buffer.from(text));
    }
    expect(await raw.set('key', EVERY_BYTE)).toBe(true);
    expect(await raw.getBuffer('key')).toEqual(EVERY_BYTE);
    await raw.set('key', new Uint8Array([1, 2]).subarray(1));
    expect(await raw.getBuffer('key')).toEqual(Buffer.from([2]));
    expect(await raw.get('absent')).toBeUndefined();
    expect(await raw.getBuffer('absent')).toBeUndefined();
  });

  it('S9 set — what looks like an entry, a lease or a barrier → a text, and no entry is touched', async () => {
    await service.set('key', 'entry');
    for (const text of [`V${'a'.repeat(60)}`, `L${'a'.repeat(20)}`, `B${'.'.repeat(20)}0`]) {
      await service.raw.set('key', text);
      expect(await service.raw.get('key')).toBe(text);
      expect(await service.get('key')).toBe('entry');
      expect(await service.getOrSet('other', () => 'loaded')).toBe('loaded');
      await service.evict('other');
    }
    expect(await service.evict('key')).toBe(1);
    expect(await service.raw.get('key')).toMatch(/^B/);
  });

  it('B7 evict — there, absent → true, false', async () => {
    await service.raw.set('key', 'x');
    expect(await service.raw.evict('key')).toBe(true);
    expect(await service.raw.evict('key')).toBe(false);
    expect(await service.raw.get('key')).toBeUndefined();
  });

  it('X7 ttl — the module’s, its own, none, absent → told apart', async () => {
    const { raw } = service;
    await raw.set('default', 'x');
    expect(await raw.ttl('default')).toBeLessThanOrEqual(300_000);
    expect(await raw.ttl('default')).toBeGreaterThan(290_000);
    await raw.set('own', 'x', { ttl: '10s' });
    expect(await raw.ttl('own')).toBeLessThanOrEqual(10_000);
    await raw.set('none', 'x', { ttl: Infinity });
    expect(await raw.ttl('none')).toBe(Infinity);
    expect(await raw.ttl('absent')).toBeUndefined();
    await raw.set('short', 'x', { ttl: 30 });
    await waitFor(async () => (await raw.get('short')) === undefined);
  });

  it('B5 set — if absent, if present → stored or refused', async () => {
    const { raw } = service;
    expect(await raw.set('key', 'a', { if: 'present' })).toBe(false);
    expect(await raw.set('key', 'b', { if: 'absent' })).toBe(true);
    expect(await raw.set('key', 'c', { if: 'absent' })).toBe(false);
    expect(await raw.set('key', 'd', { if: 'present', ttl: Infinity })).toBe(true);
    expect(await raw.get('key')).toBe('d');
  });

  it('N1 N2 increment, decrement — on text → INCRBY with an end that is kept', async () => {
    const { raw } = service;
    expect(await raw.increment('n', 5, { ttl: '10s' })).toBe(5);
    expect(await raw.increment('n', 1, { ttl: '1h' })).toBe(6);
    expect(await raw.decrement('n', 10)).toBe(-4);
    expect(await raw.ttl('n')).toBeLessThanOrEqual(10_000);
    expect(await raw.get('n')).toBe('-4');
    await raw.set('n', '41', { ttl: Infinity });
    expect(await raw.increment('n')).toBe(42);
    expect(await raw.ttl('n')).toBe(Infinity);
    expect(await raw.increment('n', 0, { ttl: '10s' })).toBe(42);
    expect(await raw.ttl('n')).toBeLessThanOrEqual(10_000);
    expect(await raw.increment('endless')).toBe(1);
    expect(await raw.ttl('endless')).toBe(Infinity);
  });

  it.each(['', ' 1', '1.5', '+1', '01', '-0', '1e3', 'x', '0x10', '9'.repeat(30)])(
    'N4 increment — %p → rejected, unchanged',
    async (text) => {
      await service.raw.set('n', text);
      await expect(service.raw.increment('n')).rejects.toMatchObject({
        code: 'ERR_CACHE_NOT_A_NUMBER',
        key: 'n',
      });
      expect(await service.raw.get('n')).toBe(text);
    },
  );

  it('N4 increment — beyond the safe integers → rejected, unchanged', async () => {
    const { raw } = service;
    for (const [text, by] of [
      [`${MOST}`, 1],
      ['9223372036854775807', 1],
      [`-${MOST}`, -MOST],
    ] as const) {
      await raw.set('n', text);
      await expect(raw.increment('n', by)).rejects.toMatchObject({ code: 'ERR_CACHE_OVERFLOW' });
      expect(await raw.get('n')).toBe(text);
    }
    await raw.set('n', `-${MOST}`);
    expect(await raw.increment('n', MOST)).toBe(0);
  });

  it('G1 namespaces, clear, evictPattern, keys → apart; they know nothing of raw strings', async () => {
    const inner = service.namespace('inner');
    await service.raw.set('key', 'outer');
    await inner.raw.set('key', 'inner');
    await service.clear();
    await service.evictTags('t');
    expect(await service.evictPattern('*')).toBe(0);
    for await (const key of service.keys()) throw new Error(`${key} is no entry`);
    expect(await service.raw.get('key')).toBe('outer');
    expect(await inner.raw.get('key')).toBe('inner');
  });

  it('wrong keys, options, values → named, nothing stored', async () => {
    const { raw } = service;
    await expect(raw.set('', 'x')).rejects.toMatchObject({ code: 'ERR_CACHE_KEY' });
    for (const options of [{ ttl: 0 }, { if: 'never' }, { tags: ['t'] }])
      await expect(raw.set('key', 'x', options as never)).rejects.toMatchObject({
        code: 'ERR_CACHE_OPTIONS',
      });
    for (const value of [5, null, {}, undefined])
      await expect(raw.set('key', value as never)).rejects.toMatchObject({
        code: 'ERR_CACHE_SERIALIZATION',
      });
    await expect(raw.increment('key', 0.5)).rejects.toMatchObject({ code: 'ERR_CACHE_OPTIONS' });
    expect(await raw.get('key')).toBeUndefined();
    const small = await openCache(topology, { maxValueBytes: 100 });
    await expect(small.service.raw.set('key', 'x'.repeat(101))).rejects.toThrow(/maxValueBytes/);
  });

  it('run — bypass, readonly → nothing read, nothing stored; counts act', async () => {
    const { raw } = service;
    await raw.set('key', '1', { ttl: Infinity });
    for (const mode of ['bypass', 'readonly'] as const)
      expect(await service.run(mode, () => raw.set('key', '9'))).toBe(false);
    expect(await service.run('bypass', () => raw.get('key'))).toBeUndefined();
    expect(await service.run('bypass', () => raw.increment('key'))).toBe(2);
  });

  it('keyOf — every kind of key → apart from each other and from everything else', async () => {
    const { raw } = service;
    const keys = ['a', ['a'], 'k'.repeat(300), 'b b', '{t}x', 'h', 'kh'] as const;
    const redisKeys = keys.map((key) => raw.keyOf(key));
    expect(new Set(redisKeys).size).toBe(keys.length);
    expect(redisKeys[0]).toBe(`${cache.namespace}:ska`);
    expect(redisKeys[3]).toBe(`${cache.namespace}:skb%20b`);
    expect(redisKeys[4]).toBe(`${cache.namespace}:sk{t}x`);
  });
});

(TOPOLOGIES.includes('single') ? describe : describe.skip)('raw strings and other programs', () => {
  it('B7 another program → reads and writes the same strings', async () => {
    const { service } = await openCache('single');
    const client = plainClient();
    const key = service.raw.keyOf('shared');
    await service.raw.set('shared', 'from us', { ttl: '10s' });
    expect(await client.get(key)).toBe('from us');
    expect(await client.pttl(key)).toBeGreaterThan(5_000);
    await client.set(key, EVERY_BYTE);
    expect(await service.raw.getBuffer('shared')).toEqual(EVERY_BYTE);
    await client.set(key, '7');
    expect(await service.raw.increment('shared')).toBe(8);
    expect(await client.incrby(key, 2)).toBe(10);
    expect(await service.raw.get('shared')).toBe('10');
    await client.del(key);
    await client.lpush(key, 'no string');
    expect(await service.raw.get('shared')).toBeUndefined();
    await expect(service.raw.increment('shared')).rejects.toMatchObject({
      code: 'ERR_CACHE_NOT_A_NUMBER',
    });
    expect(await service.raw.set('shared', 'a string')).toBe(true);
  });
});
