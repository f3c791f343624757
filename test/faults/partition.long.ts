import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Compiled } from '../support/compiled.js';
import { FaultProxy, type ProxyMode } from '../support/proxy.js';
import type { TestServer } from '../support/server.js';
import { startServer } from '../support/start-server.js';
import * as judged from './load/judge-load.js';
import { LOAD_PROGRAMS, underLoad, type Fault, type Run } from './load/under-load.js';
import { Row } from './row.js';
import { owned } from './support/owned.js';
import { DeafProxy } from './support/deaf-proxy.js';

/** No copy is older, whatever is lost on the way. */
const COPY_AGE_MS = 3_500;
/** At the end of a cut; it has lasted for long enough by then, whatever the machine. */
const STILL_CUT_MS = 1_500;
/** A read that takes longer beyond its load was held up. */
const HELD_UP_MS = 100;

describe('one process of three is cut off from the server', () => {
  let compiled: Compiled;
  let server: TestServer;

  beforeAll(async () => {
    compiled = await Compiled.make(LOAD_PROGRAMS);
    server = await startServer();
  });
  afterAll(async () => {
    await compiled.remove();
    await server.stop();
  });

  /** Only the first process goes through the proxy. */
  const through = (url: string): Fault['optionsOf'] => {
    return (i) => ({ topology: { type: 'single', url: i === 0 ? url : server.url } });
  };

  function judgeDetection(row: Row, run: Run): void {
    const during = judged.readsBetween(firstOf(run), run.from, run.until);
    const heldUp = during.filter(({ overheadMs }) => overheadMs > HELD_UP_MS);
    const last = judged.max(heldUp.map(({ began }) => began - run.from));
    row.atMost('reads are held up for', last, { bound: 1_300 });
  }

  /** Of the process that is cut off. */
  function judgeCut(row: Row, run: Run, { deafMs }: { deafMs: number }): void {
    const cut = firstOf(run);
    const during = judged.readsBetween(cut, run.from, run.until);
    const copies = during.filter(({ source }) => source === 'copy');
    const lastCopy = judged.max(copies.map(({ began }) => began - run.from));
    row.atMost('copies are used for', lastCopy, { bound: deafMs, slack: 1.5 });
    const end = run.until - STILL_CUT_MS;
    row.is('  and at the end', copies.filter(({ began }) => began > end).length, 0);
    row.atMost('hits again', judged.hitsAgainMs(cut, run.until), { bound: 2_000 });
  }

  const modes: [string, ProxyMode, number][] = [
    ['reset', 'reset', 50],
    ['black hole', 'drop', 3_200],
    ['replies lost', 'drop-replies', 3_200],
  ];
  it.each(modes)('%s → its reads go on, its copies do not', async (name, mode, deafMs) => {
    const row = new Row('4', `connections: ${name}`);
    const proxy = owned(await FaultProxy.start(server.url), (started) => started.close());
    const run = await underLoad(compiled, {
      optionsOf: through(proxy.url),
      lastsMs: 8_000,
      begin: () => proxy.set(mode),
      end: () => proxy.set('pass'),
    });
    judged.judgeCommon(row, run, { copyAgeMs: COPY_AGE_MS });
    judgeDetection(row, run);
    judgeCut(row, run, { deafMs });
    expect(row.broken).toEqual([]);
  });

  it('only its subscription, without a sign → its copies are not used for longer than they are proved', async () => {
    const row = new Row('4', 'only the subscriber, silently');
    const proxy = owned(await DeafProxy.start(server), (started) => started.close());
    const run = await underLoad(compiled, {
      optionsOf: through(proxy.url),
      lastsMs: 8_000,
      begin: () => proxy.lose(),
      end: () => proxy.pass(),
    });
    judged.judgeCommon(row, run, { copyAgeMs: COPY_AGE_MS });
    judgeCut(row, run, { deafMs: 3_200 });
    const during = judged.readsBetween(firstOf(run), run.from, run.until);
    // Nobody tells it that another process has loaded what it waits for.
    const calm = judged.undisturbed(run, during);
    row.atMost('most that a read takes beyond its load', judged.overheads(calm).most, {
      bound: 1_100,
    });
    row.note(
      '  with the keys that are evicted meanwhile',
      `${judged.overheads(during).most.toFixed(0)} ms`,
    );
    expect(row.broken).toEqual([]);
  });
});

const firstOf = (run: Run): Run => ({ ...run, reports: run.reports.slice(0, 1) });
