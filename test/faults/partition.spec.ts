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
