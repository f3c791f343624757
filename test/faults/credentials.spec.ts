import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import type { SingleTopologyOptions } from '../../lib/module/topology.options.js';
import { openCache } from '../support/caches.js';
import type { TestServer } from '../support/server.js';
import { startServer } from '../support/start-server.js';
import { waitFor } from '../support/wait-for.js';
import { lasting, Row, WHOLE } from './row.js';
import { OTHER, TRUSTED } from './support/certificates.js';
import { operator } from './support/states.js';
import { TlsFront } from './support/tls-front.js';

const SECRET = 'a-secret-password';
const CONNECT_MS = 2_000;

/** Something that keeps a cache from its Redis, from the start of the application on. */
interface Refusal {
  name: string;
  topology: () => SingleTopologyOptions;
  enter: () => Promise<unknown>;
  leave: () => Promise<unknown>;
  /** What comes back when it is over; default: values are stored. */
  heals?: 'storing' | 'listening';
}

describe('rights, passwords and certificates', () => {
  let server: TestServer;
  let raw: Redis;
  let front: TlsFront;

  beforeAll(async () => {
    server = await startServer();
    raw = operator(server);
    front = await TlsFront.start(server, OTHER);
  });
  afterAll(async () => {
    raw.disconnect();
    await front.close();
    await server.stop();
  });

  const user = (...rules: string[]): Promise<unknown> => raw.acl('SETUSER', 'app', ...rules);
  const ALL = ['reset', 'on', `>${SECRET}`, '~*', '&*', '+@all'];
  const asUser = (): SingleTopologyOptions => {
    const url = `redis://app:${SECRET}@${server.host}:${server.port}`;
    return { type: 'single', url };
  };
  const cutOff = (): Promise<unknown> => raw.call('CLIENT', 'KILL', 'TYPE', 'normal');
  const rights = (name: string, ...fewer: string[]): Refusal => ({
    name,
    topology: asUser,
    enter: () => user(...ALL, ...fewer),
    leave: () => user(...ALL),
  });

  const refusals: Refusal[] = [
    rights('NOPERM: scripts', '-eval', '-evalsha'),
    rights('NOPERM: keys', 'resetkeys', '~other:*'),
    { ...rights('NOPERM: channels', 'resetchannels'), heals: 'listening' },
    {
      name: 'WRONGPASS',
      topology: asUser,
      enter: () => user(...ALL, `<${SECRET}`, '>another'),
      leave: () => user(...ALL),
    },
    {
      name: 'TLS: another authority',
      topology: () => ({
        type: 'single',
        url: front.url,
        redis: { tls: { ca: TRUSTED.cert } },
      }),
      enter: async () => front.show(OTHER),
      leave: async () => front.show(TRUSTED),
    },
  ];

  it.each(
    (WHOLE ? refusals : refusals.slice(2, 4)).map((refusal): [string, Refusal] => [
      refusal.name,
      refusal,
    ]),
  )('%s → the application starts, reads go on, it heals by itself', async (_, refusal) => {
    const row = new Row('23', refusal.name);
    await refusal.enter();
    const began = performance.now();
    const cache = await openCache(refusal.topology(), { timeouts: { connect: CONNECT_MS } });
    row.atMost('start takes', performance.now() - began, { bound: CONNECT_MS + 200 });
    const { service, log, errors } = cache;
    const until = performance.now() + lasting(3_000, 1_000);
    let wrong = 0;
    for (let i = 0; performance.now() < until; i++) {
      const value = await service.getOrSet(`k${i}`, () => i).catch(String);
      if (value !== i) wrong++;
      await sleep(10);
    }
    row.is('reads that were not served', wrong, 0);
    row.is('told to onError', errors.length > 0, true, `${errors.length}`);
    const causes = new Set(log.map((line) => line.replace(/\d+/g, '#')));
    row.is('log lines beyond one for each cause', log.length - causes.size, 0, `${log.length}`);
    const said = JSON.stringify([log, errors.map(({ error }) => [error, error.stack])]);
    row.is('secrets in logs and errors', said.split(SECRET).length - 1, 0);
    await refusal.leave();
    const healed = performance.now();
    const isWell =
      refusal.heals === 'listening' ? () => cache.buses[0]!.live : () => service.set('k', 1);
    await waitFor(isWell, { timeoutMs: 15_000 });
    row.atMost('heals within', performance.now() - healed, { bound: 2_000 });
    expect(row.broken).toEqual([]);
  });

  it('a password changes under a running application → it heals when it is right again', async () => {
    const row = new Row('23', 'password changed while running');
    await user(...ALL);
    const { service, log } = await openCache(asUser());
    await waitFor(() => service.set('k', 1));
    await user(...ALL, `<${SECRET}`, '>another');
    await cutOff();
    await sleep(1_500);
    row.is('reads go on', await service.getOrSet('l', () => 1), 1);
    await user(...ALL);
    const healed = performance.now();
    await waitFor(() => service.set('k', 2), { timeoutMs: 15_000 });
    row.atMost('heals within', performance.now() - healed, { bound: 2_000 });
    row.is('secrets in logs', log.filter((line) => line.includes(SECRET)).length, 0);
    expect(row.broken).toEqual([]);
  });
});
