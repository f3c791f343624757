import { describe, expect, it } from '@jest/globals';
import { openCache, TOPOLOGIES } from '../support/caches.js';
import { waitFor } from '../support/wait-for.js';
import { plant, readStored } from './support/stored.js';

/** After the first two reads of a key, what its value was made of is known here. */
const OFTEN = 4;

describe.each(TOPOLOGIES)('Read again and again past all copies, on %s', (topology) => {
  const open = (options = {}) => openCache(topology, { l1: false, ...options });

  it('B13 unchanged → the same frozen value', async () => {
    const { service } = await open();
    await service.set('k', { a: [1] });
    const values: unknown[] = [];
    for (let i = 0; i < OFTEN; i++) values.push(await service.get('k'));
    expect(values).toEqual(Array(OFTEN).fill({ a: [1] }));
    expect(values.at(-1)).toBe(values.at(-2));
    expect(Object.isFrozen(values.at(-1))).toBe(true);
  });

  it('B13 a value that cannot be frozen → one of his own for each reader', async () => {
    const { service } = await open();
    await service.set('k', { at: new Date(5) });
    for (let i = 0; i < OFTEN; i++) {
      const value = (await service.get<{ at: Date | number }>('k'))!;
      expect(value).toEqual({ at: new Date(5) });
      value.at = 6;
    }
  });

  it('isolation: reference → what a reader has changed is not given for what Redis has', async () => {
    const { service } = await open({ l1: { isolation: 'reference', ttl: 5 } });
    await service.set('k', { a: 1 });
    for (let i = 0; i < OFTEN; i++) {
      const value = (await service.get<{ a: number }>('k'))!;
      expect(value).toEqual({ a: 1 });
      value.a = 2;
      await waitFor(() => service.peek('k') === undefined);
    }
  });

  it('set, evicted, its tag evicted, its namespace cleared by another process → each of them counts at once', async () => {
    const { service, namespace } = await open();
    const { service: other } = await (topology === 'memory' ? { service } : open({ namespace }));
    const often = async (): Promise<unknown> => {
      for (let i = 1; i < OFTEN; i++) await service.get('k');
      return service.get('k');
    };
    await other.set('k', 1, { tags: ['t'] });
    expect(await often()).toBe(1);
    await other.set('k', 2, { tags: ['t'] });
    expect(await service.get('k')).toBe(2);
    expect(await often()).toBe(2);
    await other.evictTags('t');
    expect(await service.get('k')).toBeUndefined();
    await other.set('k', 3);
    expect(await often()).toBe(3);
    await other.evict('k');
    expect(await service.get('k')).toBeUndefined();
    await other.set('k', 3);
    expect(await often()).toBe(3);
    await other.clear();
    expect(await service.get('k')).toBeUndefined();
  });

  it('T11 reads that have ended → nothing is waited for, or kept of them', async () => {
    const one = await open();
    const other = await open({ namespace: one.namespace });
    await other.service.set('k', 1, { tags: ['t', 'u'] });
    await other.service.evictTags('t');
    await one.service.set('l', 2, { tags: ['v'] });
    expect(await one.service.get('k')).toBeUndefined();
    expect(await one.service.getMany(['k', 'l'])).toEqual(new Map([['l', 2]]));
    expect(await one.service.getOrSet('l', () => 3)).toBe(2);
    const finder = one.engine['finder'];
    expect(finder['looks']['underWay'].size).toBe(0);
    expect(finder['judge']['underWay'].size).toBe(0);
  });

  it('past its ttl → a miss, in grace → stale, though its bytes are the same', async () => {
    const { service } = await open({ failure: 'open' });
    await service.set('k', 'old', { ttl: '1s' });
    for (let i = 0; i < OFTEN; i++) expect(await service.get('k')).toBe('old');
    await waitFor(async () => (await service.get('k')) === undefined);
    const options = { ttl: '1s', grace: '1m', staleWhileRevalidate: true } as const;
    await service.getOrSet('g', () => 'old', options);
    for (let i = 0; i < OFTEN; i++) expect(await service.get('g')).toBe('old');
    await waitFor(async () => (await service.get('g')) === undefined);
    expect(await service.getOrSet('g', () => 'new', options)).toBe('old');
  });

  it('row 16 one bit of it changed → a miss', async () => {
    const cache = await open();
    await cache.service.set('k', 'as it was');
    for (let i = 0; i < OFTEN; i++) expect(await cache.service.get('k')).toBe('as it was');
    const record = Buffer.from((await readStored(cache, 'k'))!);
    record[record.length - 8]! ^= 1;
    await plant(cache, 'k', record);
    expect(await cache.service.get('k')).toBeUndefined();
  });

  it('S8 by a process with another key, or none → a miss, as for the first time', async () => {
    const secret = (byte: number) => ({
      encryption: { keys: [{ id: `k${byte}`, secret: Buffer.alloc(32, byte) }] },
    });
    const { service, namespace } = await open(secret(1));
    await service.set('k', 'secret');
    for (let i = 0; i < OFTEN; i++) expect(await service.get('k')).toBe('secret');
    if (topology === 'memory') return;
    const { service: stranger } = await open({ namespace, ...secret(2) });
    for (let i = 0; i < OFTEN; i++) expect(await stranger.get('k')).toBeUndefined();
  });
});
