import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';

const HOUR = 3_600_000;

describe.each(VARIANTS)('touch and take on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, variant);
    service = cache.service;
  });

  const http = (name: string) => {
    const key = cache.engine.keySpace().entry(name);
    return cache.engine.loadHttp(key, async () => Buffer.from('body'), {});
  };

  describe('touch', () => {
    it('X8 a live value → true, and it lives as long as was said: longer, shorter, for ever', async () => {
      await service.set('key', { a: 1 }, { ttl: '5m', tags: ['t'] });
      expect(await service.touch('key', '1h')).toBe(true);
      expect(await service.ttl('key')).toBeGreaterThan(HOUR - 10_000);
      expect(await service.touch('key', 20_000)).toBe(true);
      expect(await service.ttl('key')).toBeLessThanOrEqual(20_000);
      expect(await service.touch('key', Infinity)).toBe(true);
      expect(await service.ttl('key')).toBe(Infinity);
      expect(await service.touch('key', '10s')).toBe(true);
      expect(await service.ttl('key')).toBeLessThanOrEqual(10_000);
      expect(await service.get('key')).toEqual({ a: 1 });
      await service.evictTags('t');
      expect(await service.touch('key', '1h')).toBe(false);
    });

    it('X8 absent, cleared, under a lease or a barrier → false', async () => {
      expect(await service.touch('absent', '1h')).toBe(false);
      await service.set('cleared', 1);
      await service.clear();
      expect(await service.touch('cleared', '1h')).toBe(false);
      const gate = new Gate();
      const load = service.getOrSet('loading', () => gate.pass());
      await gate.arrived();
      expect(await service.touch('loading', '1h')).toBe(false);
      gate.open();
      await load;
      await service.withWrite('writing', async () => {
        expect(await service.touch('writing', '1h')).toBe(false);
      });
    });

    it('X8 past its ttl and in grace → false, and it stays so', async () => {
      await service.getOrSet('key', () => 1, { ttl: 40, grace: '1h' });
      await waitFor(async () => !(await service.has('key')));
      expect(await service.touch('key', '1h')).toBe(false);
      expect(await service.has('key')).toBe(false);
    });

    it('a value with grace → fresh for the new ttl, and kept for its grace after it', async () => {
      await service.getOrSet('key', () => 1, { ttl: '1m', grace: '1h' });
      expect(await service.touch('key', '10m')).toBe(true);
      const info = (await service.inspect('key'))!;
      expect(info.state).toBe('fresh');
      expect(info.ttl).toBeGreaterThan(590_000);
      expect(info.ttl).toBeLessThanOrEqual(600_100);
      expect(info.kept).toBeGreaterThan(HOUR + 590_000);
    });

    it('X8 an HTTP response, a counter → touched as well', async () => {
      await http('http');
      await service.increment('n');
      expect(await service.touchMany(['http', 'n'], '1h')).toBe(2);
      expect(await service.ttl('http')).toBeGreaterThan(HOUR - 10_000);
      expect(await service.ttl('n')).toBeLessThanOrEqual(HOUR);
      expect(await service.increment('n')).toBe(2);
      expect(await service.ttl('n')).toBeLessThanOrEqual(HOUR);
    });

    it('C1 a life cut short → copies here and elsewhere do not outlive it', async () => {
      const other =
        topology === 'memory'
          ? cache
          : await openCache(topology, { ...variant, namespace: cache.namespace });
      await waitFor(() => variant.l1 === false || other.listener.live);
      await service.set('key', 1, { ttl: '1h' });
      for (const { service: reader } of [cache, other]) expect(await reader.get('key')).toBe(1);
      expect(await service.touch('key', 60)).toBe(true);
      await waitFor(async () => !(await other.service.has('key')) && !(await service.has('key')));
    });

    it.each([[0], [-1], [NaN], [null], ['soon'], [undefined]])(
      'X3 a ttl of %p → CacheOptionsError',
      async (ttl) => {
        await service.set('key', 1);
        for (const call of [
          service.touch('key', ttl as never),
          service.touchMany(['key'], ttl as never),
        ])
          await expect(call).rejects.toMatchObject({
            code: 'ERR_CACHE_OPTIONS',
            message: expect.stringMatching(/^Wrong options for touch(Many)?:\n  ttl: given /),
          });
      },
    );

    it('M9 touchMany — some there, some twice, some absent → how many there are', async () => {
      const keys = Array.from({ length: 300 }, (_, i) => `key ${i}`);
      await service.setMany(keys.map((key, i) => [key, i] as const));
      expect(await service.touchMany([...keys, 'absent', keys[0]!], '1h')).toBe(300);
      for (const key of [keys[0]!, keys[299]!])
        expect(await service.ttl(key)).toBeGreaterThan(HOUR - 10_000);
      expect(await service.touchMany([], '1h')).toBe(0);
    });

    it('run — bypass, readonly → false, nothing changed', async () => {
      await service.set('key', 1, { ttl: '5m' });
      for (const mode of ['bypass', 'readonly'] as const)
        expect(await service.run(mode, () => service.touch('key', '1h'))).toBe(false);
      expect(await service.ttl('key')).toBeLessThanOrEqual(300_000);
    });
  });

  describe('take', () => {
    const values: [string, unknown][] = [
      ['an object', { a: [1, new Date(5)] }],
      ['null', null],
      ['0', 0],
      ['an empty string', ''],
      ['a Buffer', Buffer.from([1, 0, 255])],
    ];

    it.each(values)('B6 %s → the value, once', async (_what, value) => {
      await service.set('key', value);
      expect(await service.get('key')).toEqual(value);
      expect(await service.take('key')).toEqual(value);
      expect(await service.take('key')).toBeUndefined();
      expect(await service.get('key')).toBeUndefined();
    });

    it('B6 taken by many at once → by one', async () => {
      await service.set('token', 'secret');
      await service.get('token');
      const taken = await Promise.all(Array.from({ length: 50 }, () => service.take('token')));
      expect(taken.filter((value) => value === 'secret')).toHaveLength(1);
    });

    it('B6 another process has a copy → it is told', async () => {
      const other =
        topology === 'memory'
          ? cache
          : await openCache(topology, { ...variant, namespace: cache.namespace });
      await waitFor(() => variant.l1 === false || other.listener.live);
      await service.set('key', 1);
      expect(await other.service.get('key')).toBe(1);
      expect(await service.take('key')).toBe(1);
      await waitFor(async () => (await other.service.get('key')) === undefined);
    });

    it('B6 absent, cleared, of an evicted tag, a response → undefined, and the response stays', async () => {
      await service.set('cleared', 1);
      await service.clear();
      await service.set('tagged', 1, { tags: ['t'] });
      await service.evictTags('t');
      await http('http');
      for (const key of ['absent', 'cleared', 'tagged', 'http'])
        expect(await service.take(key)).toBeUndefined();
      expect(await service.ttl('http')).toBeGreaterThan(0);
    });

    it('a counter → its number; the next increment begins anew', async () => {
      await service.increment('n', 7);
      expect(await service.take('n')).toBe(7);
      expect(await service.increment('n')).toBe(1);
    });

    it('during a load → undefined, and the load is not stored', async () => {
      const gate = new Gate();
      const load = service.getOrSet('key', async () => {
        await gate.pass();
        return 'old';
      });
      await gate.arrived();
      expect(await service.take('key')).toBeUndefined();
      gate.open();
      expect(await load).toBe('old');
      expect(await service.get('key')).toBeUndefined();
    });

    it('during writeThrough → undefined, and nothing is stored at its end', async () => {
      await service.writeThrough('key', async () => {
        expect(await service.take('key')).toBeUndefined();
        return 1;
      });
      expect(await service.get('key')).toBeUndefined();
    });

    it('what the call cannot read → undefined, and it stays for who can', async () => {
      const serializer = {
        name: 'shout',
        serialize: (value: unknown) => Buffer.from(String(value).toUpperCase()),
        deserialize: (bytes: Buffer) => bytes.toString(),
      };
      await service.set('key', 'text', { serializer, version: 1 });
      expect(await service.take('key')).toBeUndefined();
      expect(await service.take('key', { serializer, version: 2 })).toBeUndefined();
      expect(await service.take('key', { serializer, version: 1 })).toBe('TEXT');
      expect(await service.take('key', { serializer })).toBeUndefined();
    });

    it('take, touch, increment → told where something has changed, and only there', async () => {
      const events: string[] = [];
      cache.listener.on(({ keys, reason, local }) => {
        if (local) events.push(`${reason} ${keys!.join()}`);
      });
      await service.increment('n');
      await service.touch('n', '1h');
      await service.take('n');
      await service.take('n');
      await service.touch('n', '1h');
      await service.set('n', 'text');
      await service.increment('n').catch(() => undefined);
      await service.withWrite('n', () => service.increment('n').then(undefined, () => undefined));
      expect(events).toEqual(['set n', 'set n', 'evict n', 'set n', 'evict n']);
    });

    it('run — bypass → undefined, and it stays; readonly → taken', async () => {
      await service.set('key', 1);
      expect(await service.run('bypass', () => service.take('key'))).toBeUndefined();
      expect(await service.run('readonly', () => service.take('key'))).toBe(1);
    });
  });
});
