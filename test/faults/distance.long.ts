import { expect, it } from '@jest/globals';
import { surplusLoads } from '../concurrency/history/checker.js';
import { Compiled } from '../support/compiled.js';
import { FaultProxy } from '../support/proxy.js';
import { startServer } from '../support/start-server.js';
import * as judged from './load/judge-load.js';
import { LOAD_PROGRAMS, underLoad } from './load/under-load.js';
import { crowd, Row } from './row.js';
import { owned } from './support/owned.js';

it('far away → no outage, and no more loads than before', async () => {
  const row = new Row('3', 'each reply 200 ms late');
  const compiled = owned(await Compiled.make(LOAD_PROGRAMS), (made) => made.remove());
  const server = owned(await startServer(), (started) => started.stop());
  const proxy = owned(await FaultProxy.start(server.url), (started) => started.close());
  const run = await underLoad(compiled, {
    optionsOf: () => ({ topology: { type: 'single', url: proxy.url } }),
    lastsMs: 10_000,
    begin: () => proxy.set({ delayMs: 200 }),
    end: () => proxy.set('pass'),
  });
  judged.judgeCommon(row, run, { copyAgeMs: 500 });
  const opened = judged.timesOpened(run);
  row.atMost('times taken for an outage', opened, { bound: 2, unit: '', slack: 3 * crowd() });
  const during = judged.readsBetween(run, run.from, run.until);
  const calm = judged.overheads(judged.undisturbed(run, during));
  // One reply for the miss, one for the lease, one for the fill.
  row.atMost('what a read takes beyond its load, p99', calm.p99, { bound: 610 });
  const all = judged.overheads(during);
  row.note(
    '  with the keys that are evicted meanwhile',
    `${all.p99.toFixed(0)} ms, most ${all.most.toFixed(0)} ms`,
  );
  const evicts = run.reports.reduce((sum, { evicts }) => sum + evicts.length, 0);
  // Whoever is not answered in time loads for itself.
  const alone = run.reports.flatMap((r) => Object.values(r.swallowed)).reduce((a, b) => a + b, 0);
  const reasons = evicts + 1_000;
  row.atMost('loads without a reason', Math.max(0, surplusLoads(run.reports, 1_000) - alone), {
    bound: Math.ceil(0.05 * reasons),
    unit: `of ${reasons}, and ${alone} calls too late`,
    slack: 1,
  });
  expect(row.broken).toEqual([]);
});
