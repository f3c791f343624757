import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { Compiled } from '../support/compiled.js';
import type { TestServer } from '../support/server.js';
import { startServer } from '../support/start-server.js';
import * as judged from './load/judge-load.js';
import { LOAD_PROGRAMS, underLoad, type Run } from './load/under-load.js';
import { lasting, Row } from './row.js';
import { owned } from './support/owned.js';
import { operator } from './support/states.js';

describe('every subscription is killed again and again', () => {
  let server: TestServer;
  let raw: Redis;

  beforeAll(async () => {
    server = await startServer();
    raw = operator(server);
  });
  afterAll(async () => {
    raw.disconnect();
    await server.stop();
  });

  async function killed(compiled: Compiled, lastsMs: number): Promise<Run> {
    let timer: NodeJS.Timeout;
    const kill = (): void => void raw.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    return underLoad(compiled, {
      optionsOf: () => ({ topology: { type: 'single', url: server.url } }),
      lastsMs,
      afterMs: lasting(5_000, 1_000),
      begin: () => (timer = setInterval(kill, 500)),
      end: () => clearInterval(timer),
    });
  }

  it('→ no copy is used while messages may be lost', async () => {
    const lastsMs = lasting(30_000, 3_000);
    const row = new Row('11', `subscriptions killed every 500 ms for ${lastsMs / 1_000} s`);
    const compiled = owned(await Compiled.make(LOAD_PROGRAMS), (made) => made.remove());
    const run = await killed(compiled, lastsMs);
    judged.judgeCommon(row, run, { copyAgeMs: 85 });
    const during = judged.readsBetween(run, run.from, run.until);
    const copies = during.filter(({ source }) => source === 'copy').length;
    row.note('copies used meanwhile', `${copies} of ${during.length} reads`);
    expect(row.broken).toEqual([]);
  });
});
