import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { CacheConnectionError } from '../../lib/common/errors.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { waitFor } from '../support/wait-for.js';

describe.each(VARIANTS)('tags and clear on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;

  beforeEach(async () => {
    cache = await openCache(topology, variant);
    ({ service } = cache);
  });

  it('G4 evictTags — entries with and without the tag → those with it go, whatever their lives', async () => {
    await service.set('a', 1, { tags: ['cats', 'pets'], ttl: '1h' });
    await service.set('b', 2, { tags: ['pets'] });
    await service.set('c', 3, { tags: ['dogs'], ttl: Infinity });
    await service.set('d', 4);
    expect([...(await service.getMany(['a', 'b', 'c', 'd'])).values()]).toEqual([1, 2, 3, 4]);
    await service.evictTags('pets');
    expect([...(await service.getMany(['a', 'b', 'c', 'd']))]).toEqual([
      ['c', 3],
      ['d', 4],
    ]);
    expect(await service.has('a')).toBe(false);
    expect(await service.ttl('a')).toBeUndefined();
    await service.evictTags(['cats', 'dogs']);
    expect(await service.get('c')).toBeUndefined();
    expect(await service.get('d')).toBe(4);
  });

  it('G4 set and getOrSet after evictTags → the new entries stay, with the same tag', async () => {
    await service.evictTags('t');
    await service.set('a', 1, { tags: ['t'] });
    expect(await service.getOrSet('b', () => 2, { tags: ['t'] })).toBe(2);
    expect(await service.get('a')).toBe(1);
    expect(await service.get('b')).toBe(2);
    await service.evictTags('t');
    expect(await service.getOrSet('b', () => 'again', { tags: ['t'] })).toBe('again');
    expect(await service.get('b')).toBe('again');
  });

  it('G4 a tag with half a surrogate pair, as a cut text has → its entries go, and their copies', async () => {
    const tag = 'smile 😀'.slice(0, 7);
    await service.set('a', 1, { tags: [tag] });
    await service.getOrSet('b', () => 2, { tags: ['other', tag] });
    expect([await service.get('a'), await service.get('b')]).toEqual([1, 2]);
    await service.evictTags(tag);
    expect([await service.get('a'), await service.get('b')]).toEqual([undefined, undefined]);
  });

  it('G4 an entry is set again without the tag → the tag no longer concerns it', async () => {
    await service.set('a', 1, { tags: ['t'] });
    await service.set('a', 2);
    await service.evictTags('t');
    expect(await service.get('a')).toBe(2);
  });

  it('G4 the caller changes its list of tags meanwhile → what it was at the call counts', async () => {
    const gate = new Gate();
    const tags = ['t'];
    const one = service.getOrSet('a', async () => (await gate.pass(), 1), { tags });
    const many = service.getOrSetMany(['b'], async () => (await gate.pass(), [['b', 1]]), { tags });
    await gate.arrived(2);
    tags[0] = 'other';
    gate.open();
    await Promise.all([one, many]);
    const sets = ['t'];
    const setting = [
      service.set('c', 1, { tags: sets }),
      service.setMany([['d', 1]], { tags: sets }),
      service.writeThrough('e', async () => 1, { tags: sets }),
    ];
    sets[0] = 'other';
    await Promise.all(setting);
    await service.evictTags('other');
    const keys = ['a', 'b', 'c', 'd', 'e'];
    expect([...(await service.getMany(keys)).keys()]).toEqual(keys);
    const evicted = ['t'];
    const evicting = service.evictTags(evicted);
    evicted[0] = 'other';
    await evicting;
    expect((await service.getMany(keys)).size).toBe(0);
  });

  it('G4 setTags — tags that the loader makes out of its result → count', async () => {
    await service.getOrSet(
      'a',
      ({ setTags }) => {
        setTags(['owner:7']);
        return { owner: 7 };
      },
      { tags: ['other'] },
    );
    await service.evictTags('other');
    expect(await service.has('a')).toBe(true);
    await service.evictTags('owner:7');
    expect(await service.has('a')).toBe(false);
  });

  it.each<[string, () => Promise<void>]>([
    ['evictTags', () => service.evictTags('t')],
    ['clear', () => service.clear()],
  ])(
    '%s while a load runs → its result does not count, nor for those who come later',
    async (_, evict) => {
      const gate = new Gate();
      let row = 'old';
      const loader = async (): Promise<string> => {
        const read = row;
        await gate.pass();
        return read;
      };
      const early = service.getOrSet('k', loader, { tags: ['t'] });
      await gate.arrived();
      row = 'new';
      await evict();
      const late = service.getOrSet('k', loader, { tags: ['t'] });
      gate.open();
      expect(await early).toBe('old');
      expect(await late).toBe('new');
      expect(await service.getOrSet('k', () => 'unused', { tags: ['t'] })).toBe('new');
    },
  );

  it('a tag evicted while writeThrough runs → what it stores does not count', async () => {
    const gate = new Gate();
    const writing = service.writeThrough('k', async () => (await gate.pass(), 'written'), {
      tags: ['t'],
    });
    await gate.arrived();
    await service.evictTags('t');
    gate.open();
    expect(await writing).toBe('written');
    expect(await service.has('k')).toBe(false);
  });

  it('G5 B11 clear — this namespace → and no other, neither nested nor around it', async () => {
    const users = service.namespace('users');
    const eu = users.namespace('eu');
    const views = [service, users, eu];
    const fill = (): Promise<unknown> => Promise.all(views.map((v, i) => v.set('k', i)));
    const found = (): Promise<boolean[]> => Promise.all(views.map((view) => view.has('k')));
    await fill();
    await users.clear();
    expect(await found()).toEqual([true, false, true]);
    await fill();
    expect(await found()).toEqual([true, true, true]);
    await service.clear();
    expect(await found()).toEqual([false, true, true]);
  });

  it('G1 evictTags — the same tag in another namespace → stays', async () => {
    const users = service.namespace('users');
    await service.set('k', 1, { tags: ['t'] });
    await users.set('k', 2, { tags: ['t'] });
    await users.evictTags('t');
    expect(await service.get('k')).toBe(1);
    expect(await users.get('k')).toBeUndefined();
  });

  it('B5 set — if absent, over an entry that a tag or clear has made outdated → stored', async () => {
    await service.set('k', 1, { tags: ['t'] });
    await service.evictTags('t');
    expect(await service.set('k', 2, { if: 'present' })).toBe(false);
    expect(await service.set('k', 2, { if: 'absent', tags: ['t'] })).toBe(true);
    expect(await service.set('k', 3, { if: 'absent' })).toBe(false);
    await service.clear();
    expect(await service.set('k', 4, { if: 'absent' })).toBe(true);
    expect(await service.get('k')).toBe(4);
  });

  it('G4 R6 the same tags in another order, neither gets through → tried again as one; the error has them as given', async () => {
    const gone = new CacheConnectionError('gone');
    const bump = jest.spyOn(cache.engine.parts.tags, 'bump').mockRejectedValue(gone);
    const given = ['b', 'a'];
    const evicts = [service.evictTags(['a', 'b']), service.evictTags(given)];
    given.pop();
    const outcomes = await Promise.allSettled(evicts);
    expect(outcomes).toMatchObject([
      { reason: { failed: ['a', 'b'] } },
      { reason: { failed: ['b', 'a'] } },
    ]);
    expect(cache.engine.pending().journal).toBe(1);
    bump.mockRestore();
    await waitFor(() => cache.engine.pending().journal === 0);
  });

  it('G4 many tags, long and odd ones → work; none → nothing happens', async () => {
    const tags = Array.from({ length: 300 }, (_, i) => `t${i}`);
    await service.set('k', 1, { tags: [...tags, '🙂', ' ', 'x'.repeat(256)] });
    await service.evictTags([]);
    expect(await service.get('k')).toBe(1);
    await service.evictTags('x'.repeat(256));
    expect(await service.has('k')).toBe(false);
  });

  it.each([[['']], [['x'.repeat(257)]], [[5]], ['t'], [{}]])(
    'tags %j → CacheOptionsError',
    async (tags) => {
      const options = { tags: tags as never };
      await expect(service.set('k', 1, options)).rejects.toMatchObject({
        code: 'ERR_CACHE_OPTIONS',
      });
      await expect(service.getOrSet('k', () => 1, options)).rejects.toThrow(/tags/);
    },
  );
});
