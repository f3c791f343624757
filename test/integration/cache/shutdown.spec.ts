import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it, jest } from '@jest/globals';
import { CacheConnectionError } from '../../../lib/common/errors.js';
import { ManualClock } from '../../contract/support/manual-clock.js';
import { openCache } from '../../support/caches.js';
import { Gate } from '../../support/gate.js';
import { waitFor } from '../../support/wait-for.js';

it('close — a load that hangs → given up: its caller is served, others load at once, and theirs is stored', async () => {
  const closing = await openCache('single', { shutdownTimeout: 100, lease: { ttl: '30s' } });
  const { namespace } = closing;
  const staying = await openCache('single', { namespace, l1: false });
  const gate = new Gate();
  const loading = closing.service.getOrSet('k', async () => {
    await gate.pass();
    return 'late';
  });
  await gate.arrived();
  await closing.close();
  const began = performance.now();
  expect(await staying.service.getOrSet('k', () => 'theirs')).toBe('theirs');
  expect(performance.now() - began).toBeLessThan(1_000);
  gate.open();
  expect(await loading).toBe('late');
  expect(await staying.service.get('k')).toBe('theirs');
});

it('K6 T11 close — a load whose lease is granted only after that → others load at once, and theirs is stored', async () => {
  const closing = await openCache('single', { shutdownTimeout: 100, lease: { ttl: '30s' } });
  const staying = await openCache('single', { namespace: closing.namespace, l1: false });
  const { store } = closing.engine['parts'];
  const acquire = store.acquire.bind(store);
  const answer = new Gate();
  jest.spyOn(store, 'acquire').mockImplementation(async (...of) => {
    const reply = await acquire(...of);
    await answer.pass();
    return reply;
  });
  const gate = new Gate();
  const loading = closing.service.getOrSet('k', async () => (await gate.pass(), 'late'));
  await answer.arrived();
  await closing.engine.drain();
  answer.open();
  await gate.arrived();
  expect(await staying.service.getOrSet('k', () => 'theirs')).toBe('theirs');
  gate.open();
  expect(await loading).toBe('late');
  expect(await staying.service.get('k')).toBe('theirs');
});

it.each(['getOrSet', 'getOrSetMany'] as const)(
  'K6 T11 close — in the tick in which %s is called → the load is waited for, and stored',
  async (call) => {
    const closing = await openCache('single', { failure: 'strict', lease: { ttl: '30s' } });
    const staying = await openCache('single', { namespace: closing.namespace, l1: false });
    const loading =
      call === 'getOrSet'
        ? closing.service.getOrSet('k', async () => 'ours')
        : closing.service
            .getOrSetMany(['k'], async () => [['k', 'ours']])
            .then((rows) => rows.get('k'));
    await closing.close();
    expect(await staying.service.get('k')).toBe('ours');
    expect(await loading).toBe('ours');
    expect(closing.errors).toEqual([]);
  },
);

it('K6 T11 close — in the tick in which getOrSetMany is called for more keys than are begun in one turn → all are stored', async () => {
  const closing = await openCache('single', { failure: 'strict', lease: { ttl: '30s' } });
  const staying = await openCache('single', { namespace: closing.namespace, l1: false });
  const keys = Array.from({ length: 1_000 }, (_, i) => `k${i}`);
  const loading = closing.service.getOrSetMany(keys, (missing) => missing.map((key) => [key, 1]));
  await closing.close();
  expect((await staying.service.getMany(keys)).size).toBe(keys.length);
  expect((await loading).size).toBe(keys.length);
  expect(closing.errors).toEqual([]);
});

it('K6 T11 close — in the tick in which getOrSet finds a value with tags to ask for → the load is waited for, and stored', async () => {
  const closing = await openCache('single', { failure: 'strict', l1: false });
  const staying = await openCache('single', { namespace: closing.namespace, l1: false });
  await staying.service.set('k', 'old', { tags: ['t', 'u'] });
  await staying.service.evictTags('t');
  const gate = new Gate();
  const { tags } = closing.engine.parts;
  const versions = tags.versions.bind(tags);
  jest.spyOn(tags, 'versions').mockImplementation(async (...of) => {
    await gate.pass();
    return versions(...of);
  });
  const loading = closing.service.getOrSet('k', async () => 'ours');
  const rounds = jest.spyOn(closing.engine['flights'], 'settled');
  const closed = closing.close();
  await gate.arrived();
  await nextTurn();
  await nextTurn();
  expect(rounds).not.toHaveBeenCalled();
  gate.open();
  await closed;
  expect(await staying.service.get('k')).toBe('ours');
  expect(await loading).toBe('ours');
});

it('K6 T11 close — a load that is called for while others are waited for, and that is not → others load at once', async () => {
  const closing = await openCache('single', { lease: { ttl: '30s' } });
  const staying = await openCache('single', { namespace: closing.namespace, l1: false });
  const gates = [new Gate(), new Gate(), new Gate()];
  const rounds = jest.spyOn(closing.engine['flights'], 'settled');
  const load = (i: number) =>
    closing.service.getOrSet(`k${i}`, async () => (await gates[i]!.pass(), 'ours'));
  const loads = [load(0)];
  await gates[0]!.arrived();
  const closed = closing.close();
  for (const i of [1, 2]) {
    await waitFor(() => rounds.mock.calls.length === i);
    loads.push(load(i));
    await gates[i]!.arrived();
    gates[i - 1]!.open();
  }
  await closed;
  expect(await staying.service.getOrSet('k2', () => 'theirs')).toBe('theirs');
  gates[2]!.open();
  expect(await Promise.all(loads)).toEqual(['ours', 'ours', 'ours']);
  expect(await staying.service.get('k1')).toBe('ours');
});

it.each(['none', 'one that hangs'])(
  'K6 T11 close — an evict does not reach Redis, loads: %s → told, and not tried any more',
  async (loads) => {
    const clock = new ManualClock();
    const cache = await openCache('memory', { shutdownTimeout: 100 }, { clock });
    const gate = new Gate();
    const loading =
      loads === 'none' ? undefined : cache.service.getOrSet('l', () => gate.pass().then(() => 1));
    if (loading) await gate.arrived();
    const { store } = cache.engine.parts;
    const gone = new CacheConnectionError('gone');
    jest
      .spyOn(store, 'evictMany')
      .mockResolvedValueOnce([{ status: 'rejected', reason: gone }] as never);
    const evict = jest.spyOn(store, 'evict').mockRejectedValue(gone);
    await expect(cache.service.evict('k')).rejects.toMatchObject({ code: 'ERR_CACHE_EVICT' });
    const closed = cache.close();
    await nextTurn();
    if (loading) clock.advance(100);
    await closed;
    expect(cache.log.join()).toContain('closed with 1 evicts that have not reached Redis');
    const tried = evict.mock.calls.length;
    for (let i = 0; i < 3; i++) {
      clock.advance(1_000);
      await nextTurn();
    }
    expect(evict).toHaveBeenCalledTimes(tried);
    evict.mockResolvedValue(false);
    gate.open();
    await loading;
    await cache.engine['journal'].close();
  },
);
