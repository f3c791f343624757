import type { Redis } from 'ioredis';
import { spreadOf, timeOf, type Spread } from './sampling.js';
import { cpuOf } from './server-stats.js';

/** What calls took for some time; CPU time is that of all threads. */
export interface Sample {
  readonly perSecond: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  /** In µs a call. */
  readonly clientUs: number;
  readonly serverUs: number;
}

export interface Load {
  /** Given the number of its call. */
  readonly call: (n: number) => Promise<unknown>;
  /** At the same time, each with one call after the other. */
  readonly callers: number;
  readonly forMs: number;
  /** A client of each server that works for the calls. */
  readonly servers: readonly Redis[];
}

/** Calls without a pause, for so long. */
export async function underLoad({ call, callers, forMs, servers }: Load): Promise<Sample> {
  const serverBefore = await cpuOf(servers);
  const before = process.cpuUsage();
  const { tookMs, latencies } = await callFor(forMs, call, callers);
  const { user, system } = process.cpuUsage(before);
  const serverUs = (await cpuOf(servers)) - serverBefore;
  return sampleOf({ latencies, tookMs, clientUs: user + system, serverUs });
}

/** Ms that so many calls take all callers together. */
export async function timeOfCalls(
  call: Load['call'],
  { callers, calls }: { readonly callers: number; readonly calls: number },
): Promise<number> {
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < calls) await call(next++);
  };
  return timeOf(() => Promise.all(Array.from({ length: callers }, caller)));
}

export async function callFor(forMs: number, call: Load['call'], callers: number) {
  const latencies: number[] = [];
  const begin = performance.now();
  const end = begin + forMs;
  let next = 0;
  const caller = async (): Promise<void> => {
    for (let now = performance.now(); now < end;) {
      await call(next++);
      const done = performance.now();
      latencies.push(done - now);
      now = done;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return { latencies, tookMs: performance.now() - begin };
}

export function sampleOf({
  latencies,
  tookMs,
  clientUs,
  serverUs,
}: {
  latencies: number[];
  tookMs: number;
  clientUs: number;
  serverUs: number;
}): Sample {
  const calls = latencies.length;
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number): number => sorted[Math.round(share * (calls - 1))]!;
  return {
    perSecond: (calls / tookMs) * 1_000,
    medianMs: at(0.5),
    p99Ms: at(0.99),
    clientUs: clientUs / calls,
    serverUs: serverUs / calls,
  };
}

/** Of several samples, number by number. */
export function spreadsOf(samples: readonly Sample[]): Record<keyof Sample, Spread> {
  const of = (key: keyof Sample): Spread => spreadOf(samples.map((sample) => sample[key]));
  return {
    perSecond: of('perSecond'),
    medianMs: of('medianMs'),
    p99Ms: of('p99Ms'),
    clientUs: of('clientUs'),
    serverUs: of('serverUs'),
  };
}
