import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Flights } from '../../../lib/cache/flights.js';
import type { Key } from '../../../lib/keys/encode-key.js';
import { openCache, type TestCache } from '../../support/caches.js';
import { Gate } from '../../support/gate.js';
import { waitFor } from '../../support/wait-for.js';

const rowsOf = (keys: readonly Key[]): [Key, string][] => keys.map((key) => [key, 'row']);

/** So many loads of this process are in line. */
async function areInLine({ engine }: TestCache, count: number): Promise<void> {
  const { flights } = engine as unknown as { flights: Flights };
  const waiting = () =>
    flights['open'].values().filter(({ onUrgent, loadBegan }) => onUrgent && !loadBegan);
  await waitFor(() => waiting().length === count);
}

describe('loaderConcurrency of several processes', () => {
  const options = { loaderConcurrency: 1, l1: false, loaderTimeout: '20s' } as const;
  const gate = { one: new Gate(), other: new Gate() };
  let one: TestCache;
  let other: TestCache;

  beforeEach(async () => {
    gate.one = new Gate();
    gate.other = new Gate();
    one = await openCache('single', options);
    other = await openCache('single', { ...options, namespace: one.namespace });
  });

  const busy = async ({ service }: TestCache, at: Gate): Promise<unknown> => {
    const load = service.getOrSet('busy', async () => (await at.pass(), 'done'));
    await at.arrived();
    return load;
  };

  it.each([
    ['a key', ({ service }: TestCache, load: () => string) => service.getOrSet('k', load)],
    [
      'a call of several',
      async ({ service }: TestCache, load: () => string) =>
        (
          await service.getOrSetMany(['k', 'l'], (keys) =>
            keys.map((key) => [key, load()] as const),
          )
        ).get('k'),
    ],
  ])(
    'L2 %s in line here → another process, which has a place, loads it, and here it is a hit',
    async (_, get) => {
      void busy(one, gate.one);
      await gate.one.arrived();
      const late = jest.fn(() => 'late');
      const here = get(one, late);
      await waitFor(() => one.engine.pending().flights > 1);
      await areInLine(one, one.engine.pending().flights - 1);
      expect(await get(other, () => 'early')).toBe('early');
      gate.one.open();
      expect(await here).toBe('early');
      expect(late).not.toHaveBeenCalled();
    },
  );

  it.each(['getOrSet', 'getOrSetMany'] as const)(
    'L2 %s waits for a load of another process → its place is free',
    async (call) => {
      const held = other.service.getOrSet('k', async () => (await gate.other.pass(), 'theirs'));
      await gate.other.arrived();
      const waiting =
        call === 'getOrSet'
          ? one.service.getOrSet('k', () => 'ours')
          : one.service.getOrSetMany(['k'], rowsOf).then((rows) => rows.get('k'));
      await waitFor(() => one.engine.pending().waits === 1);
      expect(await one.service.getOrSet('another', () => 1)).toBe(1);
      gate.other.open();
      expect(await Promise.all([held, waiting])).toEqual(['theirs', 'theirs']);
    },
  );

  it.each([
    [
      'one by one',
      ({ service }: TestCache, key: string, load: () => unknown) => service.getOrSet(key, load),
    ],
    [
      'as a call of several',
      async ({ service }: TestCache, key: string, load: () => unknown) =>
        (await service.getOrSetMany([key], async () => [[key, await load()]])).get(key),
    ],
  ])(
    'L13 two processes load what the other has in line behind that, %s → nobody waits for a loaderTimeout',
    async (_, get) => {
      const x = get(one, 'x', async () => (await gate.one.pass(), get(one, 'y', () => 'y')));
      const z = get(other, 'z', async () => (await gate.other.pass(), get(other, 'w', () => 'w')));
      await Promise.all([gate.one.arrived(), gate.other.arrived()]);
      const w = get(one, 'w', () => 'w');
      const y = get(other, 'y', () => 'y');
      await Promise.all([areInLine(one, 1), areInLine(other, 1)]);
      gate.one.open();
      gate.other.open();
      expect(await Promise.all([x, z, w, y])).toEqual(['y', 'w', 'w', 'y']);
    },
  );

  it('L13 E8 a loader asks for several keys, of which one is refreshed in the background → the others are loaded at once', async () => {
    const options = { loaderConcurrency: 1, loaderTimeout: '2s', grace: '1h' } as const;
    const { service } = await openCache('single', { ...options, staleWhileRevalidate: true });
    await service.set('a', 'old', { ttl: 1 });
    await waitFor(async () => !(await service.has('a')));
    const load = async () => [...(await service.getOrSetMany(['a', 'b'], rowsOf)).values()];
    expect(await service.getOrSet('x', load)).toEqual(['old', 'row']);
    await waitFor(async () => (await service.get('a')) === 'row');
  });

  it('M4 a key whose holder has failed comes back while the others are loaded → its load is one more, and in line', async () => {
    const held = other.service.getOrSet('b', async () => (await gate.other.pass(), 'theirs'));
    await gate.other.arrived();
    let running = 0;
    const most: number[] = [];
    const batch = one.service.getOrSetMany(['a', 'b'], async (keys) => {
      most.push(++running);
      await gate.one.pass();
      running--;
      return rowsOf(keys);
    });
    await gate.one.arrived();
    gate.other.fail(new Error('theirs failed'));
    await expect(held).rejects.toThrow('theirs failed');
    await areInLine(one, 1);
    gate.one.open();
    expect([...(await batch)]).toEqual(rowsOf(['a', 'b']));
    expect(most).toEqual([1, 1]);
  });

  it('C4 G4 a tag is evicted while a load is in line → what is loaded then is a hit', async () => {
    void busy(one, gate.one);
    await gate.one.arrived();
    const here = one.service.getOrSet('k', () => 'new', { tags: ['t'] });
    await areInLine(one, 1);
    await other.service.evictTags(['t']);
    gate.one.open();
    expect(await here).toBe('new');
    expect(await other.service.get('k')).toBe('new');
  });

  it('T11 closed for good while loads are in line → they load all the same, ask for no lease, and report nothing', async () => {
    const closing = await openCache('single', { ...options, shutdownTimeout: 20 });
    const first = busy(closing, gate.one);
    await gate.one.arrived();
    const late = closing.service.getOrSet('late', () => 'late');
    await areInLine(closing, 1);
    await closing.close();
    gate.one.open();
    expect(await Promise.all([first, late])).toEqual(['done', 'late']);
    expect(closing.errors).toEqual([]);
  });
});
