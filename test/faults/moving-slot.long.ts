import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { hashSlot } from '../../lib/keys/hash-slot.js';
import { TestCluster, type ClusterNode } from '../support/cluster.js';
import { Compiled } from '../support/compiled.js';
import * as judged from './load/judge-load.js';
import { LOAD_PROGRAMS, underLoad } from './load/under-load.js';
import { Row } from './row.js';
import { owned } from './support/owned.js';

/** All that is read and evicted lies in one slot, among keys that nobody asks for. */
const TAG = '{hot}';
const OTHER_KEYS = 9_000;
/** So few that it takes a while, and most reads come upon a slot that is half moved. */
const KEYS_AT_ONCE = 20;

it('a hot slot moves away under load, and back → nobody notices', async () => {
  const row = new Row('9', 'cluster: a hot slot with 10 000 keys moves, and back');
  const compiled = owned(await Compiled.make(LOAD_PROGRAMS), (made) => made.remove());
  const cluster = owned(await TestCluster.start({ replicas: 0 }), (started) => started.stop());
  const slot = hashSlot(TAG);
  const home = await cluster.ownerOf(slot);
  const away = cluster.nodes.find((node) => node !== home)!;
  await fill(home);
  const tookMs: number[] = [];
  const move = async (to: ClusterNode): Promise<void> => {
    const began = performance.now();
    await cluster.moveSlot(slot, to, { keysAtOnce: KEYS_AT_ONCE });
    tookMs.push(performance.now() - began);
  };
  const run = await underLoad(compiled, {
    optionsOf: () => ({ topology: { type: 'cluster', nodes: cluster.seeds } }),
    load: { keyPrefix: TAG },
    lastsMs: 5_000,
    begin: async () => {
      await move(away);
      await sleep(1_000);
      await move(home);
    },
    end: () => undefined,
  });
  row.note('moved within', tookMs.map((ms) => `${ms.toFixed(0)} ms`).join(', back within '));
  judged.judgeCommon(row, run, { copyAgeMs: 250 });
  const swallowed = run.reports.flatMap((r) => Object.entries(r.swallowed));
  // What becomes of a connection matters by what it does to reads.
  const ofReads = swallowed.filter(([name]) => !name.startsWith('connection'));
  const names = ofReads.map(([name]) => name).join(', ');
  row.none(
    'reads without Redis',
    ofReads.reduce((sum, [, count]) => sum + count, 0),
    names,
  );
  row.none('evicts that reject', judged.failedEvicts(run).count);
  const calm = judged.overheads(judged.readsBetween(run, run.warmFrom, run.from));
  const moving = judged.overheads(judged.readsBetween(run, run.from, run.until));
  row.atMost('what a read takes beyond its load, p99', moving.p99, {
    bound: Math.max(20, 3 * calm.p99),
  });
  expect(row.broken).toEqual([]);
});

async function fill({ admin }: ClusterNode): Promise<void> {
  const pipeline = admin.pipeline();
  for (let i = 0; i < OTHER_KEYS; i++) pipeline.set(`${TAG}:other:${i}`, 'x'.repeat(100));
  await pipeline.exec();
}
