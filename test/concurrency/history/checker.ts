import type { Evict, Read, Report } from '../processes/plan.js';

/** A read that gave a version older than one whose evict had returned before the read began. */
export interface Violation {
  read: Read;
  /** The version it should at least have seen. */
  evicted: number;
  /** Since when that was so, in ms. */
  ageMs: number;
}

/** Every read against every evict that had returned before it began, over all processes. */
export function violationsOf(reports: readonly Report[]): Violation[] {
  const evicts = new Map<string, Evict[]>();
  for (const evict of reports.flatMap((report) => report.evicts))
    evicts.set(evict.key, [...(evicts.get(evict.key) ?? []), evict]);
  for (const list of evicts.values()) list.sort((a, b) => a.ended - b.ended);

  const violations: Violation[] = [];
  for (const read of reports.flatMap((report) => report.reads)) {
    const before = (evicts.get(read.key) ?? []).filter((evict) => evict.ended < read.began);
    const evicted = before.reduce((most, { version }) => Math.max(most, version), 0);
    if (read.version >= evicted) continue;
    const since = before.find((evict) => evict.version > read.version)!.ended;
    violations.push({ read, evicted, ageMs: read.began - since });
  }
  return violations;
}

/** More loads than there were reasons for one: a lease is granted only where a key is absent. */
export function surplusLoads(reports: readonly Report[], keys: number): number {
  const loads = reports.reduce((sum, report) => sum + report.loads, 0);
  const evicts = reports.reduce((sum, report) => sum + report.evicts.length, 0);
  return loads - evicts - keys;
}
