/** What several runs gave. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Ends of the middle half. */
  readonly low: number;
  readonly high: number;
}

export function spreadOf(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))]!;
  return { median: at(0.5), min: at(0), max: at(1), low: at(0.25), high: at(0.75) };
}

/** Ms. */
export async function timeOf(run: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await run();
  return performance.now() - begin;
}

/** One of those that are measured side by side. */
export interface Contender<Sample = number> {
  readonly name: string;
  measure(): Promise<Sample>;
}

/**
 * Measures all of them in turn, once a round, so that what else the machine does meets all alike. Who begins changes with
 * each round. Gives each one's samples, round by round.
 */
export async function interleave<Sample>(
  contenders: readonly Contender<Sample>[],
  { rounds, warmUps }: { rounds: number; warmUps: number },
): Promise<Sample[][]> {
  const samples = contenders.map((): Sample[] => []);
  for (let round = -warmUps; round < rounds; round++)
    for (let turn = 0; turn < contenders.length; turn++) {
      const i = (round + warmUps + turn) % contenders.length;
      const sample = await contenders[i]!.measure();
      if (round >= 0) samples[i]!.push(sample);
    }
  return samples;
}

/** Of each round by itself: what slows a whole round is in both samples and cancels out, where a sample takes long enough to be hit by it. */
export function ratios(samples: readonly number[], baseline: readonly number[]): Spread {
  return spreadOf(samples.map((sample, round) => sample / baseline[round]!));
}
