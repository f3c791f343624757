import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { openCache } from '../support/caches.js';
import { FaultProxy } from '../support/proxy.js';
import { startServer } from '../support/start-server.js';
import { waitFor } from '../support/wait-for.js';
import { Row } from './row.js';

it('replies are lost → no command is carried out twice', async () => {
  const row = new Row('4', 'replies lost, commands not');
  const server = await startServer();
  const proxy = await FaultProxy.start(server.url);
  const raw = new Redis(server.url);
  const { service, buses } = await openCache({ type: 'single', url: proxy.url });
  await waitFor(() => buses[0]!.live);
  await service.set('warm', 0);
  // So that it knows the tag clock, and a set is one command.
  await service.get('warm');
  await raw.config('RESETSTAT');
  proxy.set('drop-replies');
  await Promise.all(Array.from({ length: 100 }, (_, i) => service.set(`k${i}`, i)));
  proxy.set('pass');
  await waitFor(() => service.set('warm', 1), { timeoutMs: 10_000 });
  // Whatever the client has kept would be sent by now.
  await sleep(1_000);
  const stats = await raw.info('commandstats');
  const executed = Number(/cmdstat_set:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  // And the one that shows that replies arrive again.
  row.is('sets carried out', executed, 101);
  raw.disconnect();
  await proxy.close();
  await server.stop();
  expect(row.broken).toEqual([]);
}, 30_000);
