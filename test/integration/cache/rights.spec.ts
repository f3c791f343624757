import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { openCache } from '../../support/caches.js';
import { startServer } from '../../support/start-server.js';
import type { TestServer } from '../../support/server.js';
import { waitFor } from '../../support/wait-for.js';

let server: TestServer;
let admin: Redis;

beforeAll(async () => {
  server = await startServer();
  admin = new Redis(server.url);
});
afterAll(async () => {
  admin.disconnect();
  await server.stop();
});

const COMMANDS = [
  '+@read',
  '+@write',
  '+@scripting',
  '+@connection',
  '+publish',
  '+subscribe',
  '+time',
  '+info',
];
const KEYS = ['~shop:*', '~shop/*'];

it.each<[string, string[]]>([
  ['with channels', ['&shop:*']],
  ['without channels', ['resetchannels']],
])(
  'T1 a user with the rights that docs/guarantees.md names, %s → everything works',
  async (_, channels) => {
    const [name, password] = ['cache', 'secret'];
    await admin.acl('DELUSER', name);
    await admin.call(
      'ACL',
      'SETUSER',
      name,
      'on',
      `>${password}`,
      ...channels,
      ...KEYS,
      ...COMMANDS,
    );
    const url = server.url.replace('redis://', `redis://${name}:${password}@`);
    const cache = await openCache({ type: 'single', url }, { namespace: 'shop' });
    const { service, locks } = cache;
    await service.clear();
    expect(await service.getOrSet('k', () => 1, { tags: ['t'] })).toBe(1);
    expect(await service.namespace('n').set('k', 2)).toBe(true);
    await service.evictTags('t');
    expect(await service.has('k')).toBe(false);
    expect(await service.writeThrough('k', () => 3)).toBe(3);
    expect(await service.evictPattern('*')).toBe(1);
    await locks.withLock('job', async () => undefined);
    expect(
      cache.errors.filter(
        ({ operation }) => !['subscribe', 'heartbeat', 'publish'].includes(operation),
      ),
    ).toEqual([]);
    const hasChannels = channels[0] !== 'resetchannels';
    await waitFor(() => cache.buses[0]!.live === hasChannels);
  },
);
