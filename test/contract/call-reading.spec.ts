import { describe, expect, it, jest } from '@jest/globals';
import * as z from 'zod';
import type { Serializer } from '../../lib/codec/serializer.js';
import { CacheOptionsError, CacheSerializationError } from '../../lib/common/errors.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { readStored, storedAt } from './support/stored.js';

describe.each(VARIANTS)('Serializer and schema of a call on %s', (_, topology, variant) => {
  const open = (): Promise<TestCache> => openCache(topology, variant);

  describe('serializer of a call', () => {
    const reversed: Serializer = {
      name: 'reversed',
      serialize: (value) => Buffer.from(JSON.stringify(value).split('').reverse().join('')),
      deserialize: (bytes) => JSON.parse(bytes.toString().split('').reverse().join('')),
    };

    it('S1 set with one → a miss for get, has and getMany without it, a hit with it', async () => {
      const cache = await open();
      const { service } = cache;
      await service.set('key', { a: 1 }, { serializer: reversed });
      expect((await storedAt(cache, 'key')).payload.toString()).toBe('}1:"a"{');
      for (let i = 0; i < 2; i++) {
        expect(await service.get('key', { serializer: reversed })).toEqual({ a: 1 });
        expect(await service.get('key')).toBeUndefined();
        expect(await service.has('key')).toBe(false);
        expect((await service.getMany(['key'])).size).toBe(0);
        expect((await service.getMany(['key'], { serializer: reversed })).size).toBe(1);
        const other = { ...reversed, name: 'other' };
        expect(await service.get('key', { serializer: other })).toBeUndefined();
      }
    });

    it('S1 getOrSet with one → one load, the same on a miss as on a hit; without it, another', async () => {
      const { service } = await open();
      const loader = jest.fn(() => ({ at: new Date(0) }));
      for (let i = 0; i < 3; i++)
        expect(await service.getOrSet('key', loader, { serializer: reversed })).toEqual({
          at: '1970-01-01T00:00:00.000Z',
        });
      expect(loader).toHaveBeenCalledTimes(1);
      for (let i = 0; i < 3; i++)
        expect(await service.getOrSet('key', loader)).toEqual({ at: new Date(0) });
      expect(loader).toHaveBeenCalledTimes(2);
    });

    it('S1 json and msgpack by name → read by everybody', async () => {
      const cache = await open();
      await cache.service.set('key', new Date(0), { serializer: 'msgpack' });
      expect((await storedAt(cache, 'key')).header.serializer).toBe('msgpack');
      expect(await cache.service.get('key')).toEqual(new Date(0));
    });

    it.each([0, '', false])('T12 options %j → CacheOptionsError, nothing done', async (none) => {
      const { service } = await open();
      const wrong = none as never;
      for (const call of [
        () => service.get('key', wrong),
        () => service.has('key', wrong),
        () => service.getMany(['key'], wrong),
        () => service.take('key', wrong),
        () => service.set('key', 1, wrong),
        () => service.setMany([['key', 1]], wrong),
        () => service.setMany([['key', 1, wrong]]),
        () => service.writeThrough('key', () => 1, wrong),
        () => service.increment('key', 1, wrong),
        () => service.evictPattern('*', wrong),
      ])
        await expect(call()).rejects.toMatchObject({ code: 'ERR_CACHE_OPTIONS' });
      expect(await service.has('key')).toBe(false);
    });

    it('T12 no serializer, no schema → CacheOptionsError, before anything runs', async () => {
      const { service } = await open();
      const loader = jest.fn(() => 1);
      const wrong = { serializer: 'yaml', schema: {} } as never;
      for (const call of [
        () => service.get('key', wrong),
        () => service.getMany(['key'], wrong),
        () => service.set('key', 1, wrong),
        () => service.getOrSet('key', loader, wrong),
        () => service.writeThrough('key', loader, wrong),
      ]) {
        const error = await call().catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(CacheOptionsError);
        const { problems } = error as CacheOptionsError;
        expect(problems.map(({ path }) => path).sort()).toEqual(['schema', 'serializer']);
      }
      expect(loader).not.toHaveBeenCalled();
    });
  });

  describe('schema of a call', () => {
    const schema = z.object({ id: z.number(), name: z.string() });

    it('S5 stored value that matches → given, by every way of reading', async () => {
      const { service } = await open();
      const value = { id: 1, name: 'a' };
      await service.set('key', value, { schema });
      const loader = jest.fn(() => value);
      for (let i = 0; i < 2; i++) {
        expect(await service.get('key', { schema })).toEqual(value);
        expect([...(await service.getMany(['key'], { schema })).values()]).toEqual([value]);
        expect(await service.getOrSet('key', loader, { schema })).toEqual(value);
      }
      expect(loader).not.toHaveBeenCalled();
    });

    it('S5 stored value that does not match → a miss, told, counted, and replaced by a load', async () => {
      const cache = await open();
      const { service } = cache;
      for (const key of ['key', 'many']) await service.set(key, { id: 1 });
      expect(await service.get('key', { schema })).toBeUndefined();
      expect((await service.getMany(['key', 'many'], { schema })).size).toBe(0);
      expect(cache.errors.every(({ error }) => error instanceof CacheSerializationError)).toBe(
        true,
      );
      expect(cache.errors[0]!.error.message).toContain('does not match the schema of the call');
      expect(service.stats().misses).toBe(3);
      const loader = jest.fn(() => ({ id: 2, name: 'b' }));
      for (let i = 0; i < 3; i++)
        expect(await service.getOrSet('key', loader, { schema })).toEqual({ id: 2, name: 'b' });
      expect(loader).toHaveBeenCalledTimes(1);
      const many = await service.getOrSetMany(['many'], () => [['many', loader()]], { schema });
      expect(many.get('many')).toEqual({ id: 2, name: 'b' });
      expect(await service.get('many')).toEqual({ id: 2, name: 'b' });
    });

    it('O1 value of which there is a copy does not match → judged, told and counted once for each call', async () => {
      const cache = await open();
      const { service } = cache;
      await service.set('key', 'text');
      await service.get('key');
      const judge = jest.fn(() => ({ issues: [{ message: 'no' }] }));
      const strict = { '~standard': { version: 1, vendor: 'own', validate: judge } } as const;
      expect(await service.get('key', { schema: strict })).toBeUndefined();
      expect(await service.has('key', { schema: strict })).toBe(false);
      expect((await service.getMany(['key'], { schema: strict })).size).toBe(0);
      expect(await service.getOrSet('key', () => undefined, { schema: strict })).toBeUndefined();
      expect(judge).toHaveBeenCalledTimes(4);
      expect(cache.errors).toHaveLength(4);
      expect(service.stats()).toMatchObject({ undecodable: 4, misses: 3 });
    });

    it('S5 schema whose validate is a method that needs its object → called on it', async () => {
      const { service } = await open();
      const standard = {
        version: 1,
        vendor: 'own',
        least: 3,
        validate(value: unknown) {
          return (value as number) < this.least ? { issues: [{ message: 'less' }] } : { value };
        },
      } as const;
      const schema = { '~standard': standard };
      expect(await service.getOrSet('key', () => 3, { schema })).toBe(3);
      await expect(service.set('key', 2, { schema })).rejects.toThrow('does not match');
    });

    it('S5 loaded value that does not match → CacheSerializationError, nothing stored, the lease free', async () => {
      const cache = await open();
      const loader = (): never => ({ id: 'hunter2' }) as never;
      const failure = await cache.service
        .getOrSet('key', loader, { schema })
        .catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(CacheSerializationError);
      expect((failure as Error).message).not.toContain('hunter2');
      expect(await readStored(cache, 'key')).toBeNull();
    });

    it('S5 written value that does not match → set rejects, writeThrough gives it and stores nothing', async () => {
      const { service } = await open();
      await expect(service.set('key', { id: 1 }, { schema })).rejects.toThrow('does not match');
      const written = await service.writeThrough('key', () => ({ id: 1 }), { schema });
      expect(written).toEqual({ id: 1 });
      expect(await service.get('key')).toBeUndefined();
    });

    it('S5 callers of one tick → each has an output of its own, and only who loads hears that its value does not match', async () => {
      const { service } = await open();
      const loader = (): { id: number; name: string } => ({ id: 1, name: 'a' });
      const callers = Array.from({ length: 3 }, () => service.getOrSet('k', loader, { schema }));
      const values = await Promise.all(callers);
      expect(values).toEqual(Array(3).fill({ id: 1, name: 'a' }));
      expect(new Set(values).size).toBe(3);
      const wrong = service.getOrSet('other', () => ({ id: 'x' }) as never, { schema });
      const right = service.getOrSet('other', loader, { schema });
      await expect(wrong).rejects.toThrow('does not match');
      expect(await right).toEqual({ id: 1, name: 'a' });
    });

    it('S5 schema that transforms, and is asynchronous → its output each time, the loader’s value is stored', async () => {
      const { service } = await open();
      const seen = jest.fn<(text: string) => void>();
      const when = z.object({
        at: z.string().transform(async (text) => {
          seen(text);
          return new Date(text);
        }),
      });
      const stored = { at: '1970-01-01T00:00:00.005Z' };
      for (let i = 0; i < 2; i++) {
        const value = await service.getOrSet('key', () => stored, { schema: when });
        expect(value.at.getTime()).toBe(5);
        expect((await service.get('key', { schema: when }))!.at.getTime()).toBe(5);
      }
      expect(await service.get('key')).toEqual(stored);
      expect(seen.mock.calls.every(([text]) => text === stored.at)).toBe(true);
    });

    it('S5 within a memo → each read is judged by its own schema, and a load replaces what is known', async () => {
      const { service } = await open();
      await service.set('key', { id: 1 });
      const value = { id: 1, name: 'a' };
      await service.withMemo(async () => {
        expect(await service.get('key')).toEqual({ id: 1 });
        expect(await service.get('key', { schema })).toBeUndefined();
        expect(await service.getOrSet('key', () => value, { schema })).toEqual(value);
        expect(await service.get('key')).toEqual(value);
      });
    });

    it('S5 schema that throws → a miss, and nothing of the value in the error', async () => {
      const cache = await open();
      await cache.service.set('key', 'hunter2');
      const broken = z.string().refine((text) => {
        throw new TypeError(`bad ${text}`);
      });
      expect(await cache.service.get('key', { schema: broken })).toBeUndefined();
      expect(cache.errors.at(-1)!.error.message).toBe('The schema (zod) threw TypeError');
    });

    it('S5 two callers with different schemas at once → each gets what matches, and null is a value', async () => {
      const { service } = await open();
      const text = z.string();
      const number = z.number().nullable();
      const results = await Promise.all([
        service.getOrSet('key', () => 'a', { schema: text }),
        service.getOrSet('key', () => 1, { schema: number }),
        service.getOrSet('key', () => 'b', { schema: text }),
        service.getOrSet('key', () => null, { schema: number }),
      ]);
      expect(results.map((value) => typeof value)).toEqual([
        'string',
        expect.stringMatching(/number|object/),
        'string',
        expect.stringMatching(/number|object/),
      ]);
    });
  });
});
