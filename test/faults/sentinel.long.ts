import { expect, it } from '@jest/globals';
import { Compiled } from '../support/compiled.js';
import { degradedMs, judgeFailover } from './load/judge-failover.js';
import { LOAD_PROGRAMS, underLoad } from './load/under-load.js';
import { Row } from './row.js';
import { owned } from './support/owned.js';
import { binaryOfRun, WatchedServers } from './support/sentinel.js';

it.each(['killed', 'frozen'] as const)(
  'a master that Sentinel watches is %s → its replica takes over',
  async (how) => {
    const row = new Row('10', `Sentinel, down-after 2 s: master ${how}`);
    const binary = binaryOfRun();
    if (!binary) return row.note('not run', 'servers are containers');
    const compiled = owned(await Compiled.make(LOAD_PROGRAMS), (made) => made.remove());
    const servers = owned(await WatchedServers.start(binary, 2_000), (started) => started.stop());
    const run = await underLoad(compiled, {
      optionsOf: () => ({ topology: { type: 'single', redis: servers.options } }),
      lastsMs: 8_000,
      begin: () => (how === 'killed' ? servers.master.kill() : servers.master.pause()),
      end: async () => {
        await servers.switched;
        if (how === 'frozen') await servers.master.resume();
      },
    });
    judgeFailover(row, run);
    row.atMost(
      'longest without a hit',
      degradedMs(run, () => true),
      { bound: 5_000 },
    );
    row.note('  of which Sentinel took', `${((await servers.switched) - run.from).toFixed(0)} ms`);
    expect(row.broken).toEqual([]);
  },
);
