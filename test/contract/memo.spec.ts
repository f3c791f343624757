import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { systemClock } from '../../lib/common/clock.js';
import { CacheConnectionError } from '../../lib/common/errors.js';
import { Meter } from '../../lib/observe/meter.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';

describe.each(VARIANTS)('withMemo on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, variant);
    ({ service } = cache);
    await service.set('k', 'first');
  });

  /** As another process, whose changes reach the memo in no way. */
  async function stranger(): Promise<CacheService> {
    if (topology === 'memory') return service;
    const { namespace } = cache;
    return (await openCache(topology, { ...variant, namespace })).service;
  }

  /** Changes made outside of the memo's call. */
  const meanwhile = <T>(change: () => Promise<T>): Promise<T> => cache.engine.memos.outside(change);

  it('C8 get, getMany, getOrSet — of one key → one read, and its answer is repeated', async () => {
    const loader = jest.fn(() => 'loaded');
    const other = await stranger();
    const before = service.stats();
    await service.withMemo(async () => {
      const together = await Promise.all([service.get('k'), service.get('k')]);
      expect(together).toEqual(['first', 'first']);
      await meanwhile(() => other.set('k', 'second'));
      expect(await service.get('k')).toBe('first');
      expect(await service.getMany(['k', 'k'])).toEqual(new Map([['k', 'first']]));
      expect(await service.getOrSet('k', loader)).toBe('first');
      expect(await service.getOrSet('k', loader, { ttl: '1m' })).toBe('first');
    });
    const { hits, misses } = service.stats();
    expect(hits.memo - before.hits.memo).toBe(6);
    expect(hits.l1 + hits.redis - before.hits.l1 - before.hits.redis).toBe(1);
    expect(misses).toBe(before.misses);
    expect(loader).not.toHaveBeenCalled();
  });

  it('C8 a miss → repeated by get, loaded by getOrSet, whose value is then the answer', async () => {
    const other = await stranger();
    await service.withMemo(async () => {
      const before = service.stats().misses;
      expect(await service.get('absent')).toBeUndefined();
      await meanwhile(() => other.set('absent', 'of others'));
      expect(await service.get('absent')).toBeUndefined();
      expect(service.stats().misses - before).toBe(2);
      await meanwhile(() => other.evict('absent'));
      expect(await service.getOrSet('absent', () => 'loaded')).toBe('loaded');
      await meanwhile(() => other.evict('absent'));
      expect(await service.get('absent')).toBe('loaded');
      expect(await service.getOrSet('absent', () => 'again')).toBe('loaded');
    });
    expect(await other.get('absent')).toBeUndefined();
  });

  it('C8 what others have set is read outside of the call → the call has its own answer all the same', async () => {
    const other = await stranger();
    const outside = () => meanwhile(() => service.get('k'));
    await service.withMemo(async () => {
      expect(await service.get('k')).toBe('first');
      await meanwhile(() => other.set('k', 'second'));
      await waitFor(async () => (await outside()) === 'second');
      expect(await outside()).toBe('second');
      expect(await service.get('k')).toBe('first');
      expect(await service.getOrSet('k', () => 'loaded')).toBe('first');
    });
  });

  const CHANGES: [string, (service: CacheService) => Promise<unknown>, unknown][] = [
    ['set', (s) => s.set('k', 'own'), 'own'],
    ['setMany', (s) => s.setMany([['k', 'own']]), 'own'],
    ['evict', (s) => s.evict('k'), undefined],
    ['evictTags', (s) => s.evictTags('t'), undefined],
    ['evictPattern', (s) => s.evictPattern('*'), undefined],
    ['clear', (s) => s.clear(), undefined],
    ['withWrite', (s) => s.withWrite('k', async () => 1), undefined],
    ['writeThrough', (s) => s.writeThrough('k', () => 'own'), 'own'],
    ['take', (s) => s.take('k'), undefined],
    ['getOrSet of another version', (s) => s.getOrSet('k', () => 'own', { version: 2 }), 'own'],
    ['getOrSet with force', (s) => s.getOrSet('k', () => 'own', { force: true }), 'own'],
  ];

  it.each(CHANGES)(
    'C8 %s in the call itself → the key is read again',
    async (_name, change, then) => {
      await service.set('k', 'first', { tags: ['t'] });
      await service.withMemo(async () => {
        expect(await service.get('k')).toBe('first');
        await change(service);
        expect(await service.get('k')).toBe(then);
      });
    },
  );

  it('C8 what the call reads within its own transaction → not remembered beyond it', async () => {
    await service.withMemo(async () => {
      expect(await service.get('k')).toBe('first');
      let row = 'old';
      await service.withWrite('k', async () => {
        expect(await service.getOrSet('k', () => row)).toBe('old');
        row = 'new';
        expect(await service.getOrSet('k', () => row)).toBe('new');
      });
      expect(await service.getOrSet('k', () => row)).toBe('new');
    });
  });

  it('C8 a read that is under way while the call evicts → its answer is not remembered', async () => {
    const loading = new Gate();
    await service.evict('k');
    await service.withMemo(async () => {
      const early = service.getOrSet('k', async () => (await loading.pass(), 'early'));
      await loading.arrived();
      await service.evict('k');
      loading.open();
      expect(await early).toBe('early');
      expect(await service.get('k')).toBeUndefined();
    });
  });

  it('C8 values that are not stored, and errors → nothing is remembered', async () => {
    let run = 0;
    const skipping = (): Promise<number> =>
      service.getOrSet('own', (context) => (context.skip(), ++run));
    await service.withMemo(async () => {
      expect([await skipping(), await skipping()]).toEqual([1, 2]);
      const failing = service.getOrSet('failing', () => Promise.reject(new Error('down')));
      await expect(failing).rejects.toThrow('down');
      expect(await service.getOrSet('failing', () => 'up')).toBe('up');
    });
  });

  it('C8 a read that fails → no answer to a load of the same call that has waited for it', async () => {
    const strict = await openCache(topology, { ...variant, failure: 'strict' });
    const gone = new CacheConnectionError('gone');
    jest.spyOn(strict.engine['parts'].tags, 'glance').mockRejectedValueOnce(gone);
    await strict.service.withMemo(async () => {
      const read = strict.service.get('new');
      const load = strict.service.getOrSet('new', () => 'loaded');
      await expect(read).rejects.toBe(gone);
      expect(await load).toBe('loaded');
    });
  });

  it('C8 a response under the key of a value that has been read → is made; neither answers for the other', async () => {
    const { engine } = cache;
    await service.withMemo(async () => {
      expect(await service.get('k')).toBe('first');
      const key = engine.keySpace().entry('k');
      const page = await engine.loadHttp(key, async () => Buffer.from('page'), {});
      expect(page).toMatchObject({ source: 'loaded', bytes: Buffer.from('page') });
      expect(await service.get('k')).toBe('first');
    });
  });

  it('C8 a loader that reads its own key → is told so, and nothing waits for itself', async () => {
    await service.withMemo(async () => {
      const nested = service.getOrSet('new', async () => {
        expect(await service.get('new')).toBeUndefined();
        return service.getOrSet('new', () => 'inner');
      });
      await expect(nested).rejects.toMatchObject({ code: 'ERR_CACHE_NESTED_LOAD' });
    });
  });

  it('C8 namespaces, nested memos and two calls at once → one memo per call, keys apart', async () => {
    const users = service.namespace('users');
    await users.set('k', 'user');
    await service.withMemo(async () => {
      expect([await service.get('k'), await users.get('k')]).toEqual(['first', 'user']);
      await meanwhile(() => users.clear());
      expect(await users.withMemo(() => users.get('k'))).toBe('user');
      expect(await service.withMemo(() => service.get('k'))).toBe('first');
      await users.clear();
      expect([await service.get('k'), await users.get('k')]).toEqual(['first', undefined]);
    });
    const seen = await Promise.all(
      ['one', 'two'].map((value) =>
        service.withMemo(async () => {
          await service.set(value, value);
          return service.get(value);
        }),
      ),
    );
    expect(seen).toEqual(['one', 'two']);
  });

  it('C8 D8 modes inside → bypass and refresh do not use it', async () => {
    await service.withMemo(async () => {
      expect(await service.get('k')).toBe('first');
      await service.run('bypass', async () => {
        expect(await service.get('k')).toBeUndefined();
        expect(await service.getOrSet('k', () => 'beside')).toBe('beside');
      });
      expect(await service.get('k')).toBe('first');
      expect(await service.run('refresh', () => service.getOrSet('k', () => 'fresh'))).toBe(
        'fresh',
      );
      expect(await service.get('k')).toBe('fresh');
    });
  });

  it('C8 after its end, and for what it left running → reads see what is there', async () => {
    const left = new Gate();
    let later!: Promise<unknown>;
    const result = await service.withMemo(async () => {
      await service.get('k');
      later = left.pass().then(() => service.get('k'));
      return 'result';
    });
    expect(result).toBe('result');
    await service.set('k', 'second');
    left.open();
    expect(await later).toBe('second');
    await expect(service.withMemo(() => Promise.reject(new Error('own')))).rejects.toThrow('own');
  });

  it('C8 D8 K6 the cache is closed within a memo and a mode → neither is looked for any more', async () => {
    const { engine } = cache;
    await service.run('bypass', () =>
      service.withMemo(async () => {
        expect([engine.modes.mode, engine.memos.current?.isOpen]).toEqual(['bypass', true]);
        await cache.close();
        expect([engine.modes.mode, engine.memos.current]).toEqual(['normal', undefined]);
      }),
    );
  });

  it('O5 K6 the cache is closed within withStats → what comes after that is counted for all alone', async () => {
    const meter = new Meter(systemClock);
    const other = await openCache(topology, variant, { createMeter: () => meter });
    const { stats } = await other.service.withStats(async () => {
      meter.count('loads');
      await other.close();
      meter.count('loads');
    });
    expect([stats.loads, other.service.stats().loads]).toEqual([1, 2]);
  });
});
