/** CLOCK_MONOTONIC in ms: the same clock in all processes of a machine. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

interface Loading {
  readonly began: number;
  ended: number;
  /** When the read began whose loader this is. */
  readonly askedAt: number;
}

/** Loads remembered for a key; a read seldom outlasts more. */
const REMEMBERED = 8;

/** What loads this process has run: how many of a key at a time, and how much of a read's time they account for. */
export class LoadLedger {
  mostAtOnce = 0;
  private readonly loads = new Map<string, Loading[]>();
  /** When the last evict by this process ended, by key; Infinity while it runs. */
  private readonly evicts = new Map<string, number>();

  /** Gives what is to be called when the load has ended. */
  began(key: string, askedAt: number): () => void {
    const loads = this.loads.get(key) ?? [];
    const evictedAt = this.evicts.get(key) ?? 0;
    // Two loads with an evict between them have nothing to do with each other.
    const atOnce = loads.filter(
      (other) => other.ended === Infinity && evictedAt < Math.min(other.askedAt, askedAt),
    );
    this.mostAtOnce = Math.max(this.mostAtOnce, atOnce.length + 1);
    const loading = { began: now(), ended: Infinity, askedAt };
    this.loads.set(key, [...loads, loading].slice(-REMEMBERED));
    return () => void (loading.ended = now());
  }

  evict(key: string, step: 'begins' | 'ends'): void {
    this.evicts.set(key, step === 'begins' ? Infinity : now());
  }

  /** How much of that time a load of the key was running. */
  loadingMs(key: string, from: number, to: number): number {
    let total = 0;
    let counted = from;
    for (const { began, ended } of this.loads.get(key) ?? []) {
      const begin = Math.max(began, counted);
      const end = Math.min(ended, to);
      if (end <= begin) continue;
      total += end - begin;
      counted = end;
    }
    return total;
  }
}
