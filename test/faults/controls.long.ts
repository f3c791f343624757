import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { Compiled, type Mutation } from '../support/compiled.js';
import type { TestServer } from '../support/server.js';
import { startServer } from '../support/start-server.js';
import * as judged from './load/judge-load.js';
import { LOAD_PROGRAMS, underLoad, type Fault } from './load/under-load.js';
import { Row } from './row.js';
import { owned } from './support/owned.js';
import { operator, REFUSING, SERVER_ARGS } from './support/states.js';

describe('builds that are wrong on purpose', () => {
  let server: TestServer;
  let raw: Redis;

  beforeAll(async () => {
    server = await startServer({ args: SERVER_ARGS });
    raw = operator(server);
  });
  afterAll(async () => {
    raw.disconnect();
    await server.stop();
  });

  type Happening = Pick<Fault, 'begin' | 'end'>;

  function subscriptionsKilled(): Happening {
    let timer: NodeJS.Timeout;
    const kill = (): void => void raw.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    return { begin: () => (timer = setInterval(kill, 500)), end: () => clearInterval(timer) };
  }

  function writesRefused(): Happening {
    const { enter, leave } = REFUSING.find(({ says }) => says === 'NOREPLICAS')!;
    return { begin: () => enter(raw), end: () => leave(raw) };
  }

  const slowReplies: Mutation = {
    file: 'redis/read-batcher',
    from: 'async function send(client, keys) {',
    to: `async function send(client, keys) {
      const values = await readNow(client, keys);
      await new Promise((resolve) => setTimeout(resolve, 10 * Math.random()));
      return values;
    }
    async function readNow(client, keys) {`,
  };

  it.each<[string, string, () => Happening, readonly Mutation[]]>([
    [
      '11',
      'copies outlive the subscription',
      subscriptionsKilled,
      [{ file: 'l1/l1-cache', from: 'this.epochs.bumpShard(shard);', to: '' }],
    ],
    [
      '11',
      'a copy is kept although a message has overtaken its read',
      subscriptionsKilled,
      [slowReplies, { file: 'l1/l1-cache', from: '!this.epochs.isCurrent(note)', to: 'false' }],
    ],
    [
      '6',
      'an evict that rejected is forgotten by its own process',
      writesRefused,
      [
        {
          file: 'cache/evict-journal',
          from: 'blocks(redisKey) {',
          to: 'blocks(redisKey) {\nreturn false;',
        },
      ],
    ],
  ])('%s control: %s → it is noticed', async (number, name, happening, mutations) => {
    const row = new Row(number, `control: ${name}`);
    const compiled = owned(await Compiled.make(LOAD_PROGRAMS, mutations), (m) => m.remove());
    const run = await underLoad(compiled, {
      optionsOf: () => ({ topology: { type: 'single', url: server.url } }),
      lastsMs: 2_000,
      ...happening(),
    });
    const found = judged.violations(run, { copyAgeMs: 250 });
    row.is('violations are found', found > 0, true, `${found}`);
    expect(row.broken).toEqual([]);
  });
});
