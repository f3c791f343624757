import type { Evict, Read, Report } from '../processes/plan.js';

/** A read that gave a version older than one whose evict had returned before the read began. */
export interface Violation {
  read: Read;
  /** The version it should at least have seen. */
  evicted: number;
  /** Since when that was so, in ms. */
  ageMs: number;
  /** Whether an evict of the reader's own process says so, too. */
  byOwnEvict: boolean;
}

export interface Verdict {
  /** What is promised never to happen: an old value from Redis or from a load, or after an evict of the own process. */
  broken: Violation[];
  /** Ages of copies that another process had outdated a moment ago, in ms, ascending. */
  copyAges: number[];
  /** Old values when everything had come to rest. */
  atRest: Violation[];
  reads: number;
}

/** Every read against every evict that had returned before it began, over all processes. */
export function judge(reports: readonly Report[]): Verdict {
  const all = evictsByKey(reports.flatMap((report) => report.evicts));
  const verdict: Verdict = { broken: [], copyAges: [], atRest: [], reads: 0 };
  for (const report of reports) {
    const own = evictsByKey(report.evicts);
    for (const read of report.reads) {
      verdict.reads++;
      const violation = violationOf(read, all, own);
      if (!violation) continue;
      if (read.source === 'copy' && !violation.byOwnEvict) verdict.copyAges.push(violation.ageMs);
      else verdict.broken.push(violation);
    }
    for (const read of report.readsAtRest) {
      const violation = violationOf(read, all, own);
      if (violation) verdict.atRest.push(violation);
    }
  }
  verdict.copyAges.sort((a, b) => a - b);
  return verdict;
}

/** More loads than there were reasons for one: a lease is granted only where a key is absent. */
export function surplusLoads(reports: readonly Report[], keys: number): number {
  const loads = reports.reduce((sum, report) => sum + report.loads, 0);
  const evicts = reports.reduce((sum, report) => sum + report.evicts.length, 0);
  return loads - evicts - keys;
}

function evictsByKey(evicts: readonly Evict[]): Map<string, Evict[]> {
  const byKey = new Map<string, Evict[]>();
  for (const evict of evicts) byKey.set(evict.key, [...(byKey.get(evict.key) ?? []), evict]);
  for (const list of byKey.values()) list.sort((a, b) => a.ended - b.ended);
  return byKey;
}

function violationOf(
  read: Read,
  all: Map<string, Evict[]>,
  own: Map<string, Evict[]>,
): Violation | undefined {
  const newer = (evicts: readonly Evict[] = []): Evict[] =>
    evicts.filter(({ ended, version }) => ended < read.began && version > read.version);
  const outdatedBy = newer(all.get(read.key));
  if (outdatedBy.length === 0) return undefined;
  return {
    read,
    evicted: Math.max(...outdatedBy.map(({ version }) => version)),
    ageMs: read.began - outdatedBy[0]!.ended,
    byOwnEvict: newer(own.get(read.key)).length > 0,
  };
}
