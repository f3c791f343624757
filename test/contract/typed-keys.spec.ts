import { describe, expect, it } from '@jest/globals';
import { typedKey } from '../../lib/keys/typed-key.js';
import { openCache, VARIANTS } from '../support/caches.js';

const catKey = (id: number) => typedKey<{ name: string }>(['cat', id]);

describe.each(VARIANTS)('typed keys on %s', (_, topology, variant) => {
  it('every method — a typed key → the entry of the plain one', async () => {
    const { service } = await openCache(topology, variant);
    const tom = { name: 'Tom' };
    await service.set(catKey(1), tom);
    expect(await service.get(['cat', 1])).toEqual(tom);
    await service.setMany([[catKey(2), tom]]);
    const [one, two, three] = [catKey(1), catKey(2), catKey(3)];
    expect(await service.getMany([one, two, three])).toEqual(
      new Map([
        [one, tom],
        [two, tom],
      ]),
    );
    expect(await service.getOrSet(three, () => tom)).toEqual(tom);
    expect(await service.writeThrough(catKey(4), () => tom)).toEqual(tom);
    expect(await service.has(['cat', 4])).toBe(true);
    expect(await service.evict([one, two, three, catKey(4)])).toBe(4);
  });
});

describe('typedKey', () => {
  it('any key → the same, at no cost', () => {
    const key = ['cat', 1] as const;
    expect(typedKey<string>(key)).toBe(key);
    expect(typedKey<string>('cat')).toBe('cat');
  });

  it('what is no key → refused where it is used', async () => {
    const { service } = await openCache('memory');
    await expect(service.get(typedKey<string>(''))).rejects.toMatchObject({
      code: 'ERR_CACHE_KEY',
    });
  });
});
