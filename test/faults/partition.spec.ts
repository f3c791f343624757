import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { openCache } from '../support/caches.js';
import { FaultProxy } from '../support/proxy.js';
import { startServer } from '../support/start-server.js';
import { waitFor } from '../support/wait-for.js';
import { Row } from './row.js';
import { owned } from './support/owned.js';

it('replies are lost → no command is carried out twice', async () => {
  const row = new Row('4', 'replies lost, commands not');
  const server = owned(await startServer(), (started) => started.stop());
  const proxy = owned(await FaultProxy.start(server.url), (started) => started.close());
  const raw = owned(new Redis(server.url), (client) => client.disconnect());
  const { service, buses } = await openCache({ type: 'single', url: proxy.url });
  await waitFor(() => buses[0]!.live);
  await service.set('warm', 0);
  // So that it knows the tag clock, and a set is one command.
  await service.get('warm');
  await raw.config('RESETSTAT');
  proxy.set('drop-replies');
  await Promise.all(Array.from({ length: 100 }, (_, i) => service.set(`k${i}`, i)));
  proxy.set('pass');
  await waitFor(async () => (await service.ping()) >= 0, { timeoutMs: 10_000 });
  // Whatever the client has kept would be sent by now.
  await sleep(1_000);
  const stats = await raw.info('commandstats');
  const executed = Number(/cmdstat_set:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  row.is('sets carried out', executed, 100);
  expect(row.broken).toEqual([]);
});

it('the line is too narrow for what is read → readers wait for their deadline and no longer, and read again when it is wide', async () => {
  const row = new Row('3', 'a line of 100 kB a second, values of 400 kB');
  const server = owned(await startServer(), (started) => started.stop());
  const proxy = owned(await FaultProxy.start(server.url), (started) => started.close());
  const { service, errors } = await openCache({ type: 'single', url: proxy.url }, { l1: false });
  const large = 'x'.repeat(400_000);
  await service.set('large', large);
  proxy.set({ bytesPerSecond: 100_000 });
  const begin = performance.now();
  const loads = Array.from({ length: 20 }, () => service.getOrSet('large', () => 'loaded'));
  const served = new Set(await Promise.all(loads));
  row.atMost('a read takes', performance.now() - begin, { bound: 350 });
  row.is('what is served meanwhile', [...served], ['loaded']);
  row.is('told of', errors[0]?.operation, 'getOrSet');
  proxy.set('pass');
  const wide = performance.now();
  await waitFor(async () => (await service.get('large')) !== undefined, { timeoutMs: 15_000 });
  row.atMost('hits again after', performance.now() - wide, { bound: 2_000 });
  row.is('the value', (await service.get('large')) === large, true);
  expect(row.broken).toEqual([]);
});

it('the server sends no more, and is sent to → reads go on without it, and with it when it answers', async () => {
  const row = new Row('4', 'half-closed: no replies, requests arrive');
  const server = owned(await startServer(), (started) => started.stop());
  const proxy = owned(await FaultProxy.start(server.url), (started) => started.close());
  const { service } = await openCache({ type: 'single', url: proxy.url }, { l1: false });
  await service.set('k', 'stored');
  proxy.set('half-close');
  const begin = performance.now();
  row.is('what is served meanwhile', await service.getOrSet('k', () => 'loaded'), 'loaded');
  row.atMost('a read takes', performance.now() - begin, { bound: 350 });
  const evicted = await service.evict('k').catch((error: Error & { code: string }) => error.code);
  row.is('an evict', evicted, 'ERR_CACHE_EVICT');
  proxy.set('pass');
  const well = performance.now();
  const seen = new Set<unknown>();
  const isStored = async (): Promise<boolean> => {
    seen.add(await service.getOrSet('k', () => 'anew'));
    return (await service.get('k')) === 'anew';
  };
  await waitFor(isStored, { timeoutMs: 15_000 });
  row.atMost('stored again after', performance.now() - well, { bound: 2_000 });
  row.is('seen until then', [...seen], ['anew']);
  expect(row.broken).toEqual([]);
});
