import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hashSlot } from '../../lib/keys/hash-slot.js';
import { KeySpace } from '../../lib/keys/key-space.js';
import { TestCluster, type ClusterNode } from '../support/cluster.js';
import { Compiled } from '../support/compiled.js';
import { waitFor } from '../support/wait-for.js';
import { degradedMs, judgeFailover } from './load/judge-failover.js';
import * as judged from './load/judge-load.js';
import { LOAD_PROGRAMS, underLoad } from './load/under-load.js';
import { lasting, Row, WHOLE } from './row.js';
import { owned } from './support/owned.js';

const NODE_TIMEOUT_MS = lasting(3_000, 1_500);

interface Loss {
  how: 'killed' | 'frozen';
  row: string;
  lastsMs: number;
  /** After the cluster has noticed. */
  degradedMs: number;
}

const LOSSES: Loss[] = [
  { how: 'killed', row: '7', lastsMs: lasting(10_000, 4_000), degradedMs: 3_000 },
  { how: 'frozen', row: '8', lastsMs: 10_000, degradedMs: 4_000 },
];

describe('one of three masters of a cluster', () => {
  let compiled: Compiled;

  beforeAll(async () => {
    compiled = await Compiled.make(LOAD_PROGRAMS);
  });
  afterAll(() => compiled.remove());

  it.each((WHOLE ? LOSSES : LOSSES.slice(0, 1)).map((loss): [string, Loss] => [loss.how, loss]))(
    '%s → the others do not notice, its replica takes over',
    async (how, { row: number, lastsMs, degradedMs: bound }) => {
      const seconds = NODE_TIMEOUT_MS / 1_000;
      const row = new Row(number, `cluster, node-timeout ${seconds} s: a master ${how}`);
      const cluster = owned(
        await TestCluster.start({ nodeTimeoutMs: NODE_TIMEOUT_MS }),
        (started) => started.stop(),
      );
      const [victim, witness] = cluster.nodes as [ClusterNode, ClusterNode];
      const namespace = `f${number}x${Date.now().toString(36)}`;
      const isAffected = await keysOf(victim, new KeySpace(namespace));
      const takenOver = async (): Promise<boolean> =>
        (await cluster.ownerOf(0, witness)) !== victim;
      const run = await underLoad(compiled, {
        optionsOf: () => ({ topology: { type: 'cluster', nodes: cluster.seeds } }),
        load: { namespace },
        lastsMs,
        begin: () => (how === 'killed' ? victim.server.kill() : victim.server.pause()),
        end: async () => {
          await waitFor(takenOver, { timeoutMs: 30_000 });
          if (how === 'frozen') await victim.server.resume();
        },
      });
      judgeFailover(row, run);
      row.atMost('affected: longest without a hit', degradedMs(run, isAffected), {
        bound: NODE_TIMEOUT_MS + bound,
      });
      const isOther = (read: { key: string }): boolean => !isAffected(read);
      const during = judged.readsBetween(run, run.from, run.until).filter(isOther);
      const calm = judged.readsBetween(run, run.warmFrom, run.from).filter(isOther);
      row.atMost('others: what a read takes beyond its load, p99', judged.overheads(during).p99, {
        bound: Math.max(20, 2 * judged.overheads(calm).p99),
      });
      const evicts = run.reports.flatMap((r) => r.failedEvicts);
      row.none('others: evicts that reject', evicts.filter(isOther).length);
      row.note('affected: evicts that reject', `${evicts.filter(isAffected).length}`);
      expect(row.broken).toEqual([]);
    },
  );
});

/** Whether a key's entry lies on that master now. */
async function keysOf(
  master: ClusterNode,
  space: KeySpace,
): Promise<(read: { key: string }) => boolean> {
  const ranges = (await master.cluster('SLOTS')) as [number, number, [string, number, string]][];
  const own = ranges.filter(([, , [, , id]]) => id === master.id);
  const isOwn = (slot: number): boolean => own.some(([from, to]) => from <= slot && slot <= to);
  return ({ key }) => isOwn(hashSlot(space.entry(key).redisKey));
}
