import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';

describe.each(VARIANTS)('B10 versions of entries on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, variant);
    service = cache.service;
  });

  it('get, has, getMany — another version → a miss; the same, or none asked for → a hit', async () => {
    await service.set('key', 'value', { version: 2 });
    const seen = async (version?: string | number): Promise<unknown[]> => {
      const options = version === undefined ? undefined : { version };
      return [
        await service.get('key', options),
        await service.has('key', options),
        (await service.getMany(['key'], options)).get('key'),
      ];
    };
    // Twice, so that copies are asked as well as Redis.
    for (let i = 0; i < 2; i++) {
      expect(await seen()).toEqual(['value', true, 'value']);
      expect(await seen(2)).toEqual(['value', true, 'value']);
      expect(await seen('2')).toEqual(['value', true, 'value']);
      expect(await seen(3)).toEqual([undefined, false, undefined]);
      expect(await seen('02')).toEqual([undefined, false, undefined]);
    }
    expect(await service.inspect('key')).toMatchObject({ version: '2' });
  });

  it('get — a value without a version → a miss for who asks for one', async () => {
    await service.set('key', 'value');
    expect(await service.get('key', { version: 1 })).toBeUndefined();
    expect(await service.get('key')).toBe('value');
  });

  it('getOrSet — another version → loaded once, and replaced', async () => {
    const loader = jest.fn(async () => 'new');
    await service.set('key', 'old', { version: 1 });
    const load = (version: number): Promise<string> => service.getOrSet('key', loader, { version });
    expect(await load(1)).toBe('old');
    expect(await Promise.all([load(2), load(2), load(2)])).toEqual(['new', 'new', 'new']);
    expect(loader).toHaveBeenCalledTimes(1);
    expect(await service.get('key', { version: 2 })).toBe('new');
    expect(await service.get('key', { version: 1 })).toBeUndefined();
    expect(await service.getOrSet('key', () => 'not called')).toBe('new');
  });

  it('getOrSet — while another version is being loaded, here or elsewhere → waits, and loads its own', async () => {
    const other =
      topology === 'memory'
        ? cache
        : await openCache(topology, { ...variant, namespace: cache.namespace });
    for (const reader of [service, other.service]) {
      const gate = new Gate();
      const old = service.getOrSet('key', () => gate.pass().then(() => 'old'), { version: 1 });
      await gate.arrived();
      const loader = jest.fn(() => 'new');
      const loads = [1, 2, 3].map(() => reader.getOrSet('key', loader, { version: 2 }));
      const any = reader.getOrSet('key', () => 'not called');
      gate.open();
      expect(await old).toBe('old');
      expect(await Promise.all(loads)).toEqual(['new', 'new', 'new']);
      expect(loader).toHaveBeenCalledTimes(1);
      expect(['old', 'new']).toContain(await any);
      await service.evict('key');
    }
  });

  it('getOrSet — the load of another version fails → its error is not for this one', async () => {
    const gate = new Gate();
    const failing = service.getOrSet('key', () => gate.pass(), { version: 1 });
    await gate.arrived();
    const own = service.getOrSet('key', () => 'value', { version: 2 });
    gate.fail(new Error('of version 1'));
    await expect(failing).rejects.toThrow('of version 1');
    expect(await own).toBe('value');
  });

  it('getOrSet — two versions asked for again and again → each gets its own', async () => {
    const load = (version: number) =>
      service.getOrSet('key', () => `value ${version}`, { version });
    const versions = Array.from({ length: 40 }, (_version, i) => i % 2);
    expect(await Promise.all(versions.map(load))).toEqual(versions.map((v) => `value ${v}`));
  });

  it('getOrSet — a value that cannot be stored → shared by those of its version all the same', async () => {
    const loader = jest.fn(async ({ skip }: { skip(): void }) => (skip(), 'value'));
    const load = () => service.getOrSet('key', loader, { version: 1 });
    expect(await Promise.all([load(), load(), load()])).toEqual(['value', 'value', 'value']);
    expect(loader).toHaveBeenCalledTimes(1);
  });

  it('getOrSet — a number and the same as text → one version, whose load is shared', async () => {
    const gate = new Gate();
    const loader = jest.fn(
      async ({ skip }: { skip(): void }) => (skip(), await gate.pass(), 'value'),
    );
    const loads = [1, '1'].map((version) => service.getOrSet('key', loader, { version }));
    await gate.arrived();
    gate.open();
    expect(await Promise.all(loads)).toEqual(['value', 'value']);
    expect(loader).toHaveBeenCalledTimes(1);
  });

  it('getOrSetMany, setMany, writeThrough → with their version', async () => {
    await service.setMany([['set', 1]], { version: 'v1' });
    await service.writeThrough('write', async () => 2, { version: 'v1' });
    const loader = jest.fn((missing: readonly unknown[]) =>
      missing.map((k) => [k as string, 3] as const),
    );
    const options = { version: 'v1' };
    const values = await service.getOrSetMany(['set', 'write', 'load'], loader, options);
    expect([...values.values()]).toEqual([1, 2, 3]);
    expect(loader.mock.calls[0]![0]).toEqual(['load']);
    await service.getOrSetMany(['set', 'load'], loader, { version: 'v2' });
    expect(loader.mock.calls[1]![0]).toEqual(['set', 'load']);
    expect((await service.getMany(['set', 'write', 'load'], { version: 'v2' })).size).toBe(2);
  });

  it('B5 set — if absent, if present → another version is absent', async () => {
    await service.set('key', 'one', { version: 1 });
    expect(await service.set('key', 'no', { if: 'present', version: 2 })).toBe(false);
    expect(await service.set('key', 'no', { if: 'absent', version: 1 })).toBe(false);
    expect(await service.set('key', 'no', { if: 'absent' })).toBe(false);
    expect(await service.set('key', 'two', { if: 'absent', version: 2 })).toBe(true);
    expect(await service.get('key', { version: 2 })).toBe('two');
  });

  it('touch, ttl, take, evict, increment — whatever the version → as ever; a counter keeps it', async () => {
    await service.set('n', 1, { version: 7, ttl: '1h' });
    expect(await service.touch('n', '2h')).toBe(true);
    expect(await service.increment('n')).toBe(2);
    expect(await service.get('n', { version: 7 })).toBe(2);
    expect(await service.get('n', { version: 8 })).toBeUndefined();
    expect(await service.ttl('n')).toBeGreaterThan(3_600_000);
    expect(await service.take('n')).toBe(2);
  });

  it('withMemo — reads of a version → are not answered by what others were told', async () => {
    await service.set('key', 'value', { version: 1 });
    await service.withMemo(async () => {
      expect(await service.get('key')).toBe('value');
      expect(await service.get('key', { version: 2 })).toBeUndefined();
      expect(await service.get('key')).toBe('value');
    });
  });

  it('a version in grace → no stand-in for another one', async () => {
    await service.getOrSet('key', () => 'old', { version: 1, ttl: 30, grace: '1h' });
    await waitFor(async () => !(await service.has('key')));
    const failing = (): never => {
      throw new Error('source down');
    };
    const options = { grace: '1h' };
    const other = service.getOrSet('key', failing, { ...options, version: 2 });
    await expect(other).rejects.toThrow('source down');
  });

  it.each([[''], ['x'.repeat(257)], [NaN], [Infinity], [null], [{}], [1n]])(
    'a version of %p → CacheOptionsError, before the loader runs',
    async (version) => {
      const options = { version } as never;
      const loader = jest.fn(() => 1);
      for (const call of [
        service.get('key', options),
        service.has('key', options),
        service.getMany(['key'], options),
        service.set('key', 1, options),
        service.getOrSet('key', loader, options),
        service.writeThrough('key', loader, options),
      ])
        await expect(call).rejects.toMatchObject({ code: 'ERR_CACHE_OPTIONS' });
      expect(loader).not.toHaveBeenCalled();
    },
  );
});
