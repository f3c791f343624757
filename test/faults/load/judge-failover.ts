import { judge } from '../../concurrency/history/checker.js';
import type { Row } from '../row.js';
import { judgeCommon, max } from './judge-load.js';
import type { LoadRead, LoadReport } from './plan.js';
import type { Run } from './under-load.js';

/** What a replica may be behind when its master goes, and how late we hear of what that one did last. */
const BEHIND_MS = { before: 2_000, after: 1_000 };

/**
 * What must hold where a replica takes over. It does not have the last that its master did: evicts of about that moment
 * promise nothing, and reads that only they outdate are counted apart.
 */
export function judgeFailover(row: Row, run: Run): void {
  const kept = run.reports.map((report) => ({ ...report, evicts: certain(report, run) }));
  judgeCommon(row, { ...run, reports: kept }, { copyAgeMs: 3_500 });
  const lost = outdated(run.reports) - outdated(kept);
  row.note('outdated by evicts that the replica never had', `${lost}`);
  const again = run.reports.filter((report) => hits(report, run.until).length > 0);
  row.is('processes that read from Redis again', again.length, run.reports.length);
}

/** Longest time from the fault on in which Redis answered no read of these, in the process that was worst off. */
export function degradedMs(run: Run, isConcerned: (read: LoadRead) => boolean): number {
  return max(
    run.reports.map((report) => {
      const last = report.reads.findLast(isConcerned)?.began ?? run.from;
      const answered = hits(report, run.from).filter(isConcerned);
      const times = [...answered.map(({ began }) => began), last].toSorted((a, b) => a - b);
      return max(times.map((at, i) => at - (times[i - 1] ?? run.from)));
    }),
  );
}

function certain({ evicts }: LoadReport, { from }: Run): LoadReport['evicts'] {
  const { before, after } = BEHIND_MS;
  return evicts.filter(({ ended }) => ended < from - before || ended > from + after);
}

function outdated(reports: readonly LoadReport[]): number {
  const { broken, atRest } = judge(reports);
  return broken.length + atRest.length;
}

/** A copy says nothing about the server. */
const hits = (report: LoadReport, since: number): LoadRead[] =>
  report.reads.filter(({ source, began }) => source === 'hit' && began >= since);
