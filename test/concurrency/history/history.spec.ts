import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { Compiled, type Mutation } from '../../support/compiled.js';
import { startServer } from '../../support/start-server.js';
import type { HistoryPlan, Report } from '../processes/plan.js';
import { Crew, HISTORY_PROGRAMS } from '../processes/crew.js';
import { judge, surplusLoads, type Verdict } from './checker.js';

const PROCESSES = 3;
/** More of it finds more; the suite keeps to what a continuous run can afford. */
const RUN_MS = Number(process.env.TEST_HISTORY_MS ?? 2_000);
/** What is broken shows at once, as a rule; so a control is repeated, instead of running for as long as what is sound. */
const CONTROL = { runMs: 1_000, tries: 10 };

const plan = (more: Partial<HistoryPlan>): HistoryPlan => ({
  url: process.env.TEST_REDIS_URL!,
  namespace: `h${randomBytes(6).toString('hex')}`,
  runMs: RUN_MS,
  restMs: 300,
  readers: 8,
  keys: 4,
  loaderMs: 7.5,
  writePauseMs: 5,
  writes: ['evict'],
  ...more,
});

/** An outdated copy would be there for long before the next evict takes it away. */
const SELDOM_WRITTEN = { keys: 2, writePauseMs: 150 };

const ONE_HOT_ROW = { keys: 1, writePauseMs: 2 };
const TRACKING = { invalidation: { mode: 'tracking' } } as const;

/** What a crew does with the library, or with one that is broken on purpose. */
async function withCrew<T>(
  mutations: readonly Mutation[],
  work: (crew: Crew) => Promise<T>,
): Promise<T> {
  const compiled = await Compiled.make(HISTORY_PROGRAMS, mutations);
  const crew = Crew.start(compiled, PROCESSES);
  try {
    return await work(crew);
  } finally {
    await crew.end();
    await compiled.remove();
  }
}

function report(name: string, reports: readonly Report[]): Verdict {
  const verdict = judge(reports);
  const sum = (count: (report: Report) => number): number =>
    reports.reduce((total, each) => total + count(each), 0);
  const { copyAges: ages } = verdict;
  const older = [1, 5, 10, 50, 250].map((ms) => `>${ms} ms: ${ages.filter((a) => a > ms).length}`);
  console.log(
    `${name}: ${verdict.reads} reads, ${sum((r) => r.evicts.length)} evicts, ${sum((r) => r.loads)} loads, ` +
      `${verdict.broken.length} stale, ${verdict.atRest.length} stale at rest; ` +
      `outdated copies ${ages.length} (${older.join(', ')})`,
  );
  return verdict;
}

/** Longest that a copy in another process may be outdated; measured are a few milliseconds. */
const MOST_AGE_MS = 250;

function isKept(verdict: Verdict): boolean {
  const { broken, atRest, copyAges } = verdict;
  return broken.length === 0 && atRest.length === 0 && (copyAges.at(-1) ?? 0) <= MOST_AGE_MS;
}

/** Replies that take up to 10 ms longer, so that messages overtake them all the time. */
const SLOW_REPLIES: Mutation = {
  file: 'redis/read-batcher',
  from: 'async function send(client, keys) {',
  to: `async function send(client, keys) {
    const values = await readNow(client, keys);
    await new Promise((resolve) => setTimeout(resolve, 10 * Math.random()));
    return values;
}
async function readNow(client, keys) {`,
};

/** All who load ask for the lease without a look, as if nearly everything were missing. */
const BLIND: Mutation = {
  file: 'cache/read/load-looks',
  from: 'this.missingInARow >= LONG_RUN',
  to: 'true',
};

/** Nobody tells anybody what it has changed. */
const SILENT: Mutation = {
  file: 'store/lua/record.lua',
  from: "redis.pcall('PUBLISH', channel, message)",
  to: 'local _ = channel',
};

describe(`the history of ${PROCESSES} processes`, () => {
  let compiled: Compiled;
  let crew: Crew;

  beforeAll(async () => {
    compiled = await Compiled.make(HISTORY_PROGRAMS);
    crew = Crew.start(compiled, PROCESSES);
  });
  afterAll(async () => {
    await crew.end();
    await compiled.remove();
  });

  it.each<[string, Partial<HistoryPlan>]>([
    ['evict after each commit, no copies', { options: { l1: false } }],
    ['leases shorter than the load', { options: { lease: { ttl: 10 }, l1: false }, loaderMs: 20 }],
    ['one hot row, no copies', { options: { l1: false }, keys: 1, writePauseMs: 2 }],
    ['copies in each process', {}],
    ['copies, and one hot row', ONE_HOT_ROW],
    ['copies, tracked by the server', { options: TRACKING }],
    ['copies, tracked by the server, and one hot row', { ...ONE_HOT_ROW, options: TRACKING }],
    ['copies, and all ways of writing', { writes: ['evict', 'withWrite', 'writeThrough'] }],
  ])(
    '%s → no read is older than an evict that had returned before it',
    async (name, more) => {
      const reports = await crew.run(plan(more));
      const verdict = report(name, reports);
      expect(reports.flatMap((each) => each.errors)).toEqual([]);
      expect(verdict.broken.slice(0, 3)).toEqual([]);
      expect(verdict.atRest).toEqual([]);
      expect(verdict.copyAges.at(-1) ?? 0).toBeLessThanOrEqual(MOST_AGE_MS);
      expect(Math.min(...reports.map((each) => each.evicts.length))).toBeGreaterThan(10);
      // A lost lease, and a read under a barrier, are further reasons for a load.
      const everyLoadHasItsEvict = !more.options?.lease && !more.writes;
      const surplus = everyLoadHasItsEvict ? surplusLoads(reports, more.keys ?? 4) : 0;
      expect(surplus).toBeLessThanOrEqual(0);
    },
    RUN_MS + 30_000,
  );

  it(
    'C5 messages overtake replies → no copy is kept of what a message has outdated',
    async () => {
      const reports = await withCrew([SLOW_REPLIES], (slow) => slow.run(plan(SELDOM_WRITTEN)));
      const verdict = report('slow replies', reports);
      expect(verdict).toMatchObject({ broken: [], atRest: [] });
      expect(isKept(verdict)).toBe(true);
    },
    RUN_MS + 30_000,
  );

  it(
    'L1 the lease is asked for without a look, no copies and copies → no read is older than an evict that had returned before it',
    () =>
      withCrew([BLIND], async (blind) => {
        const plans = { 'no copies': plan({ options: { l1: false } }), copies: plan({}) };
        for (const [name, each] of Object.entries(plans)) {
          const verdict = report(`no look, ${name}`, await blind.run(each));
          expect(verdict).toMatchObject({ broken: [], atRest: [] });
          expect(isKept(verdict)).toBe(true);
        }
      }),
    2 * RUN_MS + 30_000,
  );

  it(
    'C2 nobody tells of what it has changed → what the server tells is enough',
    async () => {
      const tracked = plan({ ...SELDOM_WRITTEN, options: TRACKING });
      const reports = await withCrew([SILENT], (silent) => silent.run(tracked));
      const verdict = report('silent', reports);
      expect(verdict).toMatchObject({ broken: [], atRest: [] });
      expect(isKept(verdict)).toBe(true);
    },
    RUN_MS + 30_000,
  );

  it.each<[string, Partial<HistoryPlan>]>([
    ['listeners', {}],
    ['listeners, those of the tracking among them', { options: TRACKING }],
  ])(
    'C4 all %s are killed again and again → nothing is stale once that ends',
    async (name, more) => {
      // Its own: on the one that all share, the listeners of other tests would be killed as well.
      const server = await startServer();
      const client = new Redis(server.url);
      const timer = setInterval(() => void client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'), 150);
      const running = crew.run(plan({ restMs: 1_500, url: server.url, ...more }));
      setTimeout(() => clearInterval(timer), RUN_MS);
      const verdict = report(`${name} killed every 150 ms`, await running);
      clearInterval(timer);
      client.disconnect();
      await server.stop();
      expect(verdict.broken.slice(0, 3)).toEqual([]);
      expect(verdict.atRest).toEqual([]);
    },
    RUN_MS + 30_000,
  );
});

describe('the checker can fail', () => {
  it.each<[string, readonly Mutation[], Partial<HistoryPlan>]>([
    [
      'nocas: FILL stores whatever is at the key',
      [
        {
          file: 'store/lua/fill.lua',
          from: "if id ~= expectId or (kind ~= 'L' and kind ~= 'V') then return REFUSED end",
          to: '',
        },
      ],
      { options: { l1: false } },
    ],
    [
      'lockkeep: EVICT leaves the lease',
      [
        {
          file: 'store/lua/evict.lua',
          from: 'local waiting = waiters(kind)',
          to: "if kind == 'L' then return ABSENT end\nlocal waiting = waiters(kind)",
        },
      ],
      { options: { l1: false } },
    ],
    [
      'joinany: whoever joined takes a result that was not stored',
      [
        {
          file: 'cache/read/reader',
          from: 'return cameBefore(passenger) && ',
          to: 'return true && ',
        },
      ],
      { options: { l1: false } },
    ],
    [
      'noguard: a copy is kept although a message has overtaken its read',
      [SLOW_REPLIES, { file: 'l1/l1-cache', from: '!this.epochs.isCurrent(note)', to: 'false' }],
      SELDOM_WRITTEN,
    ],
    ['silent: nobody tells of what it has changed', [SILENT], SELDOM_WRITTEN],
    [
      'unarmed: silent, and the server is asked to track something else',
      [SILENT, { file: 'bus/tracking', from: '`${namespace}:k`', to: '`${namespace}:x`' }],
      { ...SELDOM_WRITTEN, options: TRACKING },
    ],
  ])(
    '%s → stale reads are found',
    async (name, mutations, more) => {
      const shared = { keys: 2, writePauseMs: 4, runMs: CONTROL.runMs, ...more };
      const found = await withCrew(mutations, async (crew) => {
        for (let i = 0; i < CONTROL.tries; i++)
          if (!isKept(report(name, await crew.run(plan(shared))))) return true;
        return false;
      });
      expect(found).toBe(true);
    },
    CONTROL.tries * (CONTROL.runMs + 5_000),
  );
});
