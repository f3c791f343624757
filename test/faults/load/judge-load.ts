import { judge } from '../../concurrency/history/checker.js';
import type { Row } from '../row.js';
import type { LoadRead, LoadReport, Sample } from './plan.js';
import type { Run } from './under-load.js';

/** What must hold whatever the fault. `copyAgeMs`: longest that a copy may be outdated by another process. */
export function judgeCommon(row: Row, run: Run, { copyAgeMs }: { copyAgeMs: number }): void {
  const { reports } = run;
  const verdict = judge(reports);
  const evicts = sum(reports, (r) => r.evicts.length);
  const failed = sum(reports, (r) => r.failedEvicts.length);
  const of = `${verdict.reads} reads, ${evicts} evicts`;
  row.is('reads older than an evict that had resolved', verdict.broken.length, 0, of);
  for (const { read, ageMs, byOwnEvict } of verdict.broken.slice(0, 3))
    row.note(
      `  ${read.source}, by ${byOwnEvict ? 'its own' : "another's"} evict`,
      `${Math.round(ageMs)} ms old, ${Math.round(read.began - run.from)} ms after the fault began`,
    );
  row.is('  stale after an own evict that rejected', staleAfterOwn(reports), 0, `${failed}`);
  row.is('  stale at rest, also after evicts that rejected', staleAtRest(reports), 0);
  row.atMost('  age of a copy that another process outdated', verdict.copyAges.at(-1) ?? 0, {
    bound: copyAgeMs,
  });
  row.is(
    'rejected gets',
    list(reports, (r) => r.errors),
    [],
  );
  row.is(
    'unhandled rejections and exceptions',
    list(reports, (r) => r.unhandled),
    [],
  );
  row.is('loads of one key at a time in a process', max(reports.map((r) => r.mostLoadsAtOnce)), 1);
  row.is('tables not empty 5 s after the load', list(reports, leftInTables), []);
  row.atMost('growth of a process', grownMb(run), { bound: 30, unit: 'MB' });
  row.atMost('event loop delay, p99', loopDelayMs(run), { bound: Math.max(30, calmDelayMs(run)) });
  row.is('at work throughout', isAtWork(run), true);
}

/** How much was read that should not have been; a build that is wrong on purpose must have some. */
export function violations({ reports }: Run, { copyAgeMs }: { copyAgeMs: number }): number {
  const { broken, copyAges } = judge(reports);
  const tooOld = copyAges.filter((age) => age > copyAgeMs).length;
  return broken.length + tooOld + staleAtRest(reports) + staleAfterOwn(reports);
}

const leftInTables = ({ emptied }: LoadReport): object[] =>
  'left' in emptied ? [emptied.left] : [];

/** In its own process an evict holds from the moment it has rejected. */
function staleAfterOwn(reports: readonly LoadReport[]): number {
  return sum(reports, (report) => {
    const own = { ...report, evicts: [...report.evicts, ...report.failedEvicts] };
    return judge([own]).broken.length;
  });
}

function staleAtRest(reports: readonly LoadReport[]): number {
  const done = reports.map((r) => ({ ...r, evicts: [...r.evicts, ...r.failedEvicts] }));
  return judge(done).atRest.length;
}

function grownMb({ reports, from }: Run): number {
  return max(
    reports.map(({ samples }) => {
      const before = samples.findLast(({ at }) => at < from)!;
      return max(samples.map(({ rssMb }) => rssMb)) - before.rssMb;
    }),
  );
}

/** Of the middle quarter of a second, because the worst one tells of the machine. */
function loopDelayMs({ reports, from }: Run): number {
  return max(reports.map(({ samples }) => delayOf(samples.filter(({ at }) => at >= from))));
}

function calmDelayMs({ reports, from }: Run): number {
  return max(reports.map(({ samples }) => delayOf(samples.filter(({ at }) => at < from))));
}

const delayOf = (samples: readonly Sample[]): number =>
  quantile(
    samples.map(({ loopDelayMs }) => loopDelayMs),
    0.5,
  );

/** A run in which little was read would show nothing. */
function isAtWork({ reports, from, until }: Run): boolean {
  return reports.every(({ reads, evicts, failedEvicts }) => {
    const during = reads.filter(({ began }) => began > from && began < until);
    return during.length > 50 && evicts.length + failedEvicts.length > 10;
  });
}

export function readsBetween({ reports }: Run, from: number, until = Infinity): LoadRead[] {
  return reports.flatMap((r) => r.reads.filter(({ began }) => began >= from && began < until));
}

/** Those whose key nobody evicted meanwhile: a load that is overtaken by evicts is begun again. */
export function undisturbed({ reports }: Run, reads: readonly LoadRead[]): LoadRead[] {
  const evicts = new Map<string, number[]>();
  for (const { key, ended } of reports.flatMap((r) => [...r.evicts, ...r.failedEvicts]))
    evicts.set(key, [...(evicts.get(key) ?? []), ended]);
  return reads.filter(
    ({ key, began, ended }) =>
      !evicts.get(key)?.some((at) => at > began - AROUND_MS && at < ended + AROUND_MS),
  );
}

/** An evict is carried out somewhere between its beginning and its end. */
const AROUND_MS = 1_000;

export function overheads(reads: readonly LoadRead[]): { most: number; p99: number; p50: number } {
  const sorted = reads.map(({ overheadMs }) => overheadMs);
  return { most: max(sorted), p99: quantile(sorted, 0.99), p50: quantile(sorted, 0.5) };
}

/** How long after that moment the last process has got something from Redis, or a copy of it, again. */
export function hitsAgainMs({ reports }: Run, since: number): number {
  const firsts = reports.map(({ reads }) => {
    const hits = reads.filter(
      (r) => r.began >= since && (r.source === 'hit' || r.source === 'copy'),
    );
    return Math.min(...hits.map(({ ended }) => ended));
  });
  return max(firsts) - since;
}

/** How often some process found the server not to answer. */
export const timesOpened = ({ reports }: Run): number =>
  max(reports.map(({ samples }) => max(samples.map(({ opened }) => opened))));

export const mostQueued = ({ reports }: Run): number =>
  max(reports.map(({ samples }) => max(samples.map(({ queued }) => queued))));

/** Evicts that rejected: how long the longest took, and the codes. */
export function failedEvicts({ reports }: Run): {
  longestMs: number;
  codes: string[];
  count: number;
} {
  const all = reports.flatMap((r) => r.failedEvicts);
  return {
    longestMs: max(all.map(({ began, ended }) => ended - began)),
    codes: [...new Set(all.map(({ code }) => code))],
    count: all.length,
  };
}

export const max = (values: readonly number[]): number =>
  values.reduce((a, b) => Math.max(a, b), 0);

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

/** At most three of them, for the table. */
function list<T, V>(items: readonly T[], of: (item: T) => readonly V[]): V[] {
  return items.flatMap((item) => of(item)).slice(0, 3);
}
