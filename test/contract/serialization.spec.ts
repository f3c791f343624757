import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it, jest } from '@jest/globals';
import { CacheSerializationError } from '../../lib/common/errors.js';
import type { RedisCacheOptions } from '../../lib/module/redis-cache.options.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { plant, readStored, storedAt } from './support/stored.js';

const keys = [{ id: 'k1', secret: randomBytes(32) }];
const PAYLOADS: [string, Partial<RedisCacheOptions>, string][] = [
  ['msgpack', { serializer: 'msgpack' }, 'S1 S2'],
  ['brotli', { compression: { threshold: 100, algorithm: 'brotli' } }, 'S4'],
  ['encryption', { encryption: { keys } }, 'S8'],
  [
    'all of them',
    {
      serializer: 'msgpack',
      compression: { threshold: 100, algorithm: 'deflate' },
      encryption: { keys },
    },
    'S1 S4 S8',
  ],
];

const VALUES: unknown[] = [
  null,
  0,
  '',
  'x'.repeat(200_000),
  Array.from({ length: 50 }, (_, id) => ({ id, at: new Date(id), text: 'always the same' })),
  { map: new Map([['a', new Set([1n])]]), bytes: Buffer.from([0, 255]), nothing: undefined },
  new Float64Array(1000),
];

describe.each(VARIANTS)('Payloads on %s', (_, topology, variant) => {
  const open = (options: Partial<RedisCacheOptions> = {}): Promise<TestCache> =>
    openCache(topology, { ...variant, ...options });

  it.each([{}, { l1: false } as const])(
    'a serializer that gives a view of its bytes, %p → many readers have bytes of their own',
    async (own) => {
      const views = {
        serialize: (value: unknown) => value as Buffer,
        deserialize: (b: Buffer) => b,
      };
      const { service } = await open({ ...own, serializer: views });
      await service.set('k', Buffer.from('abc'));
      await service.set('other', Buffer.from('abc'));
      const read = (): Promise<(Buffer | undefined)[]> =>
        Promise.all(['k', 'other', 'k', 'k'].map((key) => service.get<Buffer>(key)));
      const [first] = await read();
      first!.fill(0);
      const again = await read();
      again[0]!.fill(0);
      expect(again.slice(1).map(String)).toEqual(['abc', 'abc', 'abc']);
    },
  );

  describe.each(PAYLOADS)('%s', (name, options, rows) => {
    it(`${rows} S7 any value → the same on a miss as on a hit, by every way of reading`, async () => {
      const { service } = await open(options);
      for (const [i, value] of VALUES.entries()) {
        expect(await service.getOrSet(`load${i}`, () => value)).toEqual(value);
        await service.set(`set${i}`, value);
        for (const key of [`load${i}`, `set${i}`]) expect(await service.get(key)).toEqual(value);
        const many = await service.getMany([`load${i}`, `set${i}`]);
        expect([...many.values()]).toEqual([value, value]);
        expect(await service.take(`set${i}`)).toEqual(value);
      }
    });

    it(`${rows} many readers of one key in one tick → equal values; what is not plain is each reader's own`, async () => {
      const { service } = await open({ l1: false, ...options });
      const value = { list: [1, { deep: true }], text: 'x'.repeat(200) };
      await service.set('plain', value);
      await service.set('dated', { at: new Date(1), bytes: Buffer.from('abc') });
      type Dated = { at: Date; bytes: Buffer };
      const readers = Array.from({ length: 3 }, () => service.get<Dated>('dated'));
      const plain = await Promise.all([service.get('plain'), service.get('plain')]);
      expect(plain).toEqual([value, value]);
      expect(Object.isFrozen(plain[1])).toBe(true);
      const [first, second, third] = await Promise.all(readers);
      first!.at.setTime(2);
      first!.bytes.fill(0);
      for (const other of [second, third, await service.get<Dated>('dated')])
        expect(other).toEqual({ at: new Date(1), bytes: Buffer.from('abc') });
    });

    it(`${rows} an HTTP response → the same bytes`, async () => {
      const { engine, service } = await open(options);
      const key = engine.keySpace().entry('page');
      const page = Buffer.from('<p>all the same</p>'.repeat(500));
      const load = jest.fn(async () => page);
      for (let i = 0; i < 2; i++)
        expect((await engine.loadHttp(key, load, {})).bytes).toEqual(page);
      expect(load).toHaveBeenCalledTimes(1);
      expect(await service.evict('page')).toBe(1);
    });

    it(`${rows} S3 what is stored → says so in its header`, async () => {
      const cache = await open(options);
      await cache.service.set('key', { text: 'hunter2'.repeat(100) });
      const { header, payload } = await storedAt(cache, 'key');
      const { serializer = 'json', compression, encryption } = options;
      expect(header.serializer).toBe(serializer);
      expect(header.keyId).toBe(encryption ? 'k1' : undefined);
      expect(payload.includes('hunter2hunter2')).toBe(name === 'msgpack');
      expect(header.compressed?.algorithm).toBe(
        compression ? (compression.algorithm ?? 'gzip') : undefined,
      );
      expect(payload.length < 100).toBe(!!compression);
    });
  });

  it('S8 an entry copied to another key → a miss, told, and replaced', async () => {
    const cache = await open({ encryption: { keys }, l1: false });
    const { service } = cache;
    await service.set('{x}admin', { admin: true });
    const bytes = await readStored(cache, '{x}admin');
    await plant(cache, '{x}guest', bytes!);
    expect(await service.get('{x}guest')).toBeUndefined();
    expect(cache.errors.at(-1)!.error).toBeInstanceOf(CacheSerializationError);
    expect(await service.getOrSet('{x}guest', () => ({ admin: false }))).toEqual({ admin: false });
    expect(await service.get('{x}guest')).toEqual({ admin: false });
    expect(await service.get('{x}admin')).toEqual({ admin: true });
  });

  it('N1 S8 counters under encryption → count, and are read where the option says so', async () => {
    const { service } = await open({ encryption: { keys } });
    expect([await service.increment('n', 2), await service.increment('n')]).toEqual([2, 3]);
    expect(await service.get('n')).toBeUndefined();
    await service.set('m', 5);
    expect(await service.increment('m')).toBe(6);
    const { service: lenient } = await open({ encryption: { keys, unencrypted: 'counters' } });
    await lenient.increment('n', 4);
    expect(await lenient.get('n')).toBe(4);
  });

  it('row 16 S5 compressed and encrypted bytes, 100 times damaged → a miss, and never another value', async () => {
    const options = { compression: { threshold: 100 }, encryption: { keys }, l1: false } as const;
    const cache = await open(options);
    const value = { list: Array.from({ length: 100 }, () => 'before') };
    await cache.service.set('key', value);
    const original = (await readStored(cache, 'key'))!;
    let missed = 0;
    let wrong = 0;
    for (let run = 0; run < 100; run++) {
      const damaged = Buffer.from(original.subarray(0, run % 3 ? undefined : 60 + (run % 100)));
      damaged[24 + ((run * 7) % (damaged.length - 24))]! ^= 1 << (run & 7);
      await plant(cache, 'key', damaged);
      const read = await cache.service.get('key');
      if (read === undefined) missed++;
      else wrong += isDeepStrictEqual(read, value) ? 0 : 1;
    }
    expect(missed).toBeGreaterThan(70);
    expect(wrong).toBe(0);
  });
});

/** Where two processes share what is stored. */
for (const [name, topology, variant] of VARIANTS.filter(([, each]) => each !== 'memory'))
  describe(`Payloads of several processes on ${name}`, () => {
    const value = { text: 'all the same '.repeat(300), at: new Date(5) };

    async function pair(
      writing: Partial<RedisCacheOptions>,
      reading: Partial<RedisCacheOptions>,
    ): Promise<[TestCache, TestCache]> {
      const writer = await openCache(topology, { ...variant, ...writing });
      const { namespace } = writer;
      await writer.service.set('key', value);
      return [writer, await openCache(topology, { ...variant, ...reading, namespace })];
    }

    it.each(PAYLOADS.filter(([, options]) => !options.encryption))(
      '%s written, read by a process with the defaults → a hit, and back',
      async (name, options, rows) => {
        const [writer, reader] = await pair(options, {});
        expect([name, rows, await reader.service.get('key')]).toEqual([name, rows, value]);
        await reader.service.set('back', value);
        expect(await writer.service.get('back')).toEqual(value);
      },
    );

    it('S8 a process without the key, or with another one → a miss, told, and replaced', async () => {
      const other = [{ id: 'k2', secret: randomBytes(32) }];
      for (const encryption of [false, { keys: other }] as const) {
        const [, reader] = await pair({ encryption: { keys } }, { encryption });
        expect(await reader.service.get('key')).toBeUndefined();
        expect(reader.errors.at(-1)!.error.message).toMatch(/encrypted/);
        expect(await reader.service.getOrSet('key', () => 'mine')).toBe('mine');
        expect(await reader.service.get('key')).toBe('mine');
      }
    });

    it('S8 a new key first, the old one second → both read what either writes', async () => {
      const rotated = [{ id: 'k2', secret: randomBytes(32) }, keys[0]!];
      const [, reader] = await pair({ encryption: { keys } }, { encryption: { keys: rotated } });
      expect(await reader.service.get('key')).toEqual(value);
      await reader.service.set('new', value);
      expect((await storedAt(reader, 'new')).header.keyId).toBe('k2');
    });

    it('S8 unencrypted: read → what was there before the option, and no more than that', async () => {
      const [, reader] = await pair({}, { encryption: { keys, unencrypted: 'read' } });
      expect(await reader.service.get('key')).toEqual(value);
      const [, strict] = await pair({}, { encryption: { keys } });
      expect(await strict.service.get('key')).toBeUndefined();
    });

    it('S4 S5 more than maxValueBytes of this process → a miss, told', async () => {
      const [, reader] = await pair({ compression: {} }, { maxValueBytes: 1000 });
      expect(await reader.service.get('key')).toBeUndefined();
      expect(reader.errors.at(-1)!.error.message).toContain('maxValueBytes');
    });
  });
