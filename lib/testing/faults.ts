import type { Clock } from '../common/clock.js';
import { parseDuration, type Duration } from '../common/duration.js';
import { CacheConnectionError, CacheOptionsError } from '../common/errors.js';
import { shown } from '../common/option-checks.js';
import { lateAnswer, toCacheError } from '../resilience/redis-failure.js';

/**
 * What can go wrong apart from the rest. `reads`: of entries and of tags; `writes`: values, leases, barriers, counters;
 * `evicts`: of keys, of tags, of all; `locks`: those of `LockProvider`.
 */
export type FaultKind = 'reads' | 'writes' | 'evicts' | 'locks';

const KINDS: readonly FaultKind[] = ['reads', 'writes', 'evicts', 'locks'];
const NODE = 'the test store';

interface Fault {
  delayMs: number;
  error?: unknown;
}

/** How long a call may take, by the module's options. */
interface Limits {
  readonly readMs: number;
  readonly writeMs: number;
}

/**
 * A Redis that is gone, slow or refuses, without one. Everything is well until something else is said here, and again after
 * `restore`. Without kinds, each of these is about all of them. While reads are down, so are the messages from other processes, and
 * with them the copies in the process, as with a real Redis.
 */
export class Faults {
  private readonly faults = new Map<FaultKind, Fault>();
  private readonly watchers = new Set<(readsAreDown: boolean) => void>();

  constructor(private readonly clock: Clock) {}

  /** Calls reject at once with `CacheConnectionError`, and nothing happens. */
  drop(...kinds: FaultKind[]): void {
    this.fail(new CacheConnectionError(`${NODE} cannot be reached`), ...kinds);
  }

  /** Calls reject with this; what is no error of the cache becomes the `cause` of one, as what Redis itself says does. */
  fail(error: unknown, ...kinds: FaultKind[]): void {
    this.change(kinds, (fault) => ({ ...fault, error }));
  }

  /**
   * Calls take this long, by the test's clock. Longer than the module's `timeouts` allow: `CacheTimeoutError` after those, and
   * nothing happens.
   */
  delay(duration: Duration, ...kinds: FaultKind[]): void {
    const delayMs = parseDuration(duration, {}, 'delay');
    this.change(kinds, (fault) => ({ ...fault, delayMs }));
  }

  /** All is well again. */
  restore(...kinds: FaultKind[]): void {
    this.change(kinds, () => undefined);
  }

  /** Runs a call of that kind as things are. */
  async around<T>(
    { kind, operation, limits }: { kind: FaultKind; operation: string; limits: Limits },
    run: () => Promise<T>,
  ): Promise<T> {
    const fault = this.faults.get(kind);
    if (!fault) return run();
    const limitMs = kind === 'reads' ? limits.readMs : limits.writeMs;
    if (fault.delayMs > 0) await this.pass(Math.min(fault.delayMs, limitMs));
    if (fault.delayMs > limitMs) throw lateAnswer(operation, NODE, `${limitMs} ms`);
    if (fault.error !== undefined) throw toCacheError(fault.error, operation, NODE);
    return run();
  }

  /** Hears whether reads have ceased to get through, perhaps before there was a cache, and when they do again. */
  watch(watcher: (readsAreDown: boolean) => void): void {
    this.watchers.add(watcher);
    if (this.readsAreDown) watcher(true);
  }

  private change(kinds: readonly FaultKind[], to: (fault: Fault) => Fault | undefined): void {
    assertKinds(kinds);
    const were = this.readsAreDown;
    for (const kind of kinds.length > 0 ? kinds : KINDS) {
      const fault = to(this.faults.get(kind) ?? { delayMs: 0 });
      if (fault) this.faults.set(kind, fault);
      else this.faults.delete(kind);
    }
    if (this.readsAreDown !== were) for (const watcher of this.watchers) watcher(this.readsAreDown);
  }

  private get readsAreDown(): boolean {
    return this.faults.get('reads')?.error !== undefined;
  }

  private pass(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimer(ms, resolve));
  }
}

/** A test with a fault that nothing is about would prove nothing. */
function assertKinds(kinds: readonly unknown[]): void {
  const problems = kinds
    .filter((kind) => !KINDS.includes(kind as FaultKind))
    .map((kind) => ({ path: 'kind', given: shown(kind), accepted: KINDS.map(shown).join(' or ') }));
  if (problems.length > 0) throw new CacheOptionsError('the faults of a test', problems);
}
