import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { judge } from '../concurrency/history/checker.js';
import { hashSlot } from '../../lib/keys/hash-slot.js';
import { KeySpace } from '../../lib/keys/key-space.js';
import { TestCluster } from '../support/cluster.js';
import { Compiled } from '../support/compiled.js';
import * as judged from './load/judge-load.js';
import type { LoadRead } from './load/plan.js';
import { LOAD_PROGRAMS, underLoad, type Run } from './load/under-load.js';
import { Row } from './row.js';
import { binaryOfRun, WatchedServers } from './support/sentinel.js';

let compiled: Compiled;

beforeAll(async () => {
  compiled = await Compiled.make(LOAD_PROGRAMS);
});
afterAll(() => compiled.remove());

/** Longest time from the fault on in which Redis answered no read of these. */
function degradedMs(run: Run, isConcerned: (read: LoadRead) => boolean): number {
  const concerned = judged.readsBetween(run, run.from).filter(isConcerned);
  // A copy says nothing about the server.
  const hits = concerned.filter(({ source }) => source === 'hit');
  const times = [run.from, ...hits.map(({ began }) => began).toSorted((a, b) => a - b)];
  return judged.max(times.map((at, i) => at - (times[i - 1] ?? at)));
}

/**
 * A failover loses what the replica did not have yet, evicts among it. Such reads are counted apart: those that are
 * outdated by an evict from about the time of the failover.
 */
function judgeFailover(row: Row, run: Run): void {
  const { broken } = judge(run.reports);
  const lost = broken.filter(({ read, ageMs }) => {
    const evictedAt = read.began - ageMs;
    return evictedAt > run.from - 1_000 && evictedAt < run.until + 1_000;
  });
  row.is('outdated reads that a lost evict does not explain', broken.length - lost.length, 0);
  row.note('  that one explains', `${lost.length}`);
  row.is('rejected gets', run.reports.flatMap((r) => r.errors).slice(0, 3), []);
  row.is('unhandled', run.reports.flatMap((r) => r.unhandled).slice(0, 3), []);
  const left = run.reports.flatMap((r) => ('left' in r.emptied ? [r.emptied.left] : []));
  row.is('tables not empty 5 s after the load', left, []);
}

describe('Sentinel', () => {
  const binary = binaryOfRun();

  it.each([
    ['killed', 'kill'],
    ['frozen', 'pause'],
  ] as const)(
    'the master is %s → its replica takes over',
    async (name, how) => {
      const row = new Row('10', `Sentinel, down-after 2 s: master ${name}`);
      if (!binary) row.note('not run', 'servers are containers');
      else {
        const servers = await WatchedServers.start(binary, 2_000);
        const run = await underLoad(compiled, {
          optionsOf: () => ({ topology: { type: 'single', redis: servers.options } }),
          lastsMs: 8_000,
          begin: () => servers.master[how](),
          end: () => undefined,
        });
        judgeFailover(row, run);
        row.atMost(
          'longest time without a hit',
          degradedMs(run, () => true),
          { bound: 5_000 },
        );
        await servers.stop();
      }
      expect(row.broken).toEqual([]);
    },
    60_000,
  );
});

describe('a cluster', () => {
  let cluster: TestCluster;

  const optionsOf = () => ({ topology: { type: 'cluster', nodes: cluster.seeds } }) as const;

  /** Keys of the load, by the slot in which their entries lie. */
  async function ownersOf(namespace: string, keys: number): Promise<Map<string, number>> {
    const space = new KeySpace(namespace);
    return new Map(
      Array.from({ length: keys }, (_, i) => [`k${i}`, hashSlot(space.entry(`k${i}`).redisKey)]),
    );
  }

  it.each([
    ['7', 'killed', 'kill', 6_000],
    ['8', 'frozen', 'pause', 7_000],
  ] as const)(
    '%s a master is %s → the others do not notice, its replica takes over',
    async (number, name, how, bound) => {
      const row = new Row(number, `cluster, node-timeout 3 s: a master ${name}`);
      cluster = await TestCluster.start({ nodeTimeoutMs: 3_000 });
      const victim = cluster.nodes[0]!;
      const namespace = `f${number}x${Date.now().toString(36)}`;
      const slots = await ownersOf(namespace, 1_000);
      const isAffected = ({ key }: { key: string }): boolean => slots.get(key)! <= 5_461;
      const run = await underLoad(compiled, {
        optionsOf,
        load: { namespace },
        lastsMs: 10_000,
        begin: () => victim.server[how](),
        end: () => (how === 'pause' ? victim.server.resume() : undefined),
      });
      judgeFailover(row, run);
      row.atMost('affected: longest without a hit', degradedMs(run, isAffected), { bound });
      const others = judged.readsBetween(run, run.from, run.until).filter((r) => !isAffected(r));
      const calm = judged.readsBetween(run, run.warmFrom, run.from).filter((r) => !isAffected(r));
      row.atMost('others: what a read takes beyond its load, p99', judged.overheads(others).p99, {
        bound: Math.max(20, 2 * judged.overheads(calm).p99),
        slack: 10,
      });
      const evicts = run.reports.flatMap((r) => r.failedEvicts);
      row.is('others: evicts that reject', evicts.filter((e) => !isAffected(e)).length, 0);
      row.note('affected: evicts that reject', `${evicts.filter(isAffected).length}`);
      await cluster.stop();
      expect(row.broken).toEqual([]);
    },
    90_000,
  );

  it('a hot slot moves away under load, and back → nobody notices', async () => {
    const row = new Row('9', 'cluster: a hot slot moves, and back');
    cluster = await TestCluster.start({ replicas: 0 });
    const namespace = `f9x${Date.now().toString(36)}`;
    const slot = (await ownersOf(namespace, 1)).get('k0')!;
    const home = await cluster.ownerOf(slot);
    const away = cluster.nodes.find((node) => node !== home)!;
    const run = await underLoad(compiled, {
      optionsOf,
      load: { namespace },
      lastsMs: 5_000,
      begin: async () => {
        await cluster.moveSlot(slot, away, { keysAtOnce: 1 });
        await sleep(1_000);
        await cluster.moveSlot(slot, home, { keysAtOnce: 1 });
      },
      end: () => undefined,
    });
    judged.judgeCommon(row, run, { copyAgeMs: 250 });
    const swallowed = run.reports.flatMap((r) => Object.entries(r.swallowed));
    // What becomes of a connection matters by what it does to reads.
    const ofReads = swallowed.filter(([name]) => !name.startsWith('connection'));
    row.is('reads without Redis', ofReads, []);
    row.is('evicts that reject', judged.failedEvicts(run).count, 0);
    const calm = judged.overheads(judged.readsBetween(run, run.warmFrom, run.from));
    const moving = judged.overheads(judged.readsBetween(run, run.from, run.until));
    row.atMost('what a read takes beyond its load, p99', moving.p99, {
      bound: Math.max(20, 3 * calm.p99),
    });
    await cluster.stop();
    expect(row.broken).toEqual([]);
  }, 90_000);
});
