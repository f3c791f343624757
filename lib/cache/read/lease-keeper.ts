import type { TimerHandle } from '../../common/clock.js';
import { PassingMap } from '../../common/passing-map.js';
import type { Note } from '../../l1/epochs.js';
import type { Flight } from '../flights.js';
import type { CacheParts } from '../parts.js';

/** Where the lease of a load lies, and what must be at the entry for its result to be stored. */
export interface Lease {
  readonly key: string;
  readonly token: string;
  readonly expectId: string;
  /** The fill id of the result. */
  readonly newId: string;
  /** Fill id of a value that cannot be used, or ''. */
  readonly reject: string;
  /** After a loader that has failed nobody is to load for so long. */
  readonly backoffMs: number;
  /** The tag clock, if it has been read already. */
  readonly c0: number | undefined;
  /** Of the entry, taken before ACQUIRE was sent. */
  readonly note: Note | undefined;
  /** Told, before anything is loaded, that there is nothing at the entry to serve. */
  readonly onMissing?: () => void;
}

/** A lease that lies at a key while its loader runs. A class for the reason of `Stored`. */
export class KeptLease {
  constructor(
    readonly key: string,
    readonly token: string,
    /** Of what is loaded under it. */
    readonly flight: Flight,
  ) {}
}

/** Leases that fall due within this share of the period go together: those of a batch, or of a burst. */
const TOGETHER = 0.1;

/**
 * Prolongs leases every third of their life while their loaders run. All live equally long, so they fall due in the order in
 * which they were taken: a list and one timer do for any number. Only leases of running loads are in it.
 */
export class LeaseKeeper {
  /** When each is to be prolonged, monotonic ms, the first one first. */
  private readonly due = new PassingMap<KeptLease, number>();
  private timer: TimerHandle;
  /** No lease is to be taken any more. */
  hasGivenUp = false;
  private readonly periodMs: number;

  constructor(
    private readonly parts: CacheParts,
    /** Somebody else may have its lease now; told at most once of each. */
    private readonly onLost: (flight: Flight) => void,
  ) {
    this.periodMs = Math.max(1, parts.settings.lease.ttlMs / 3);
  }

  keep(lease: KeptLease): void {
    this.due.set(lease, this.parts.clock.monotonic() + this.periodMs);
    if (this.due.size === 1) this.schedule(this.periodMs);
  }

  stop(lease: KeptLease): void {
    this.due.delete(lease);
    if (this.due.size === 0) this.parts.clock.clearTimer(this.timer);
  }

  /** Gives it back now, so that others need not wait until it expires. */
  async giveBack(lease: KeptLease): Promise<void> {
    if (!this.due.has(lease)) return;
    const { key, token, flight } = lease;
    this.stop(lease);
    this.onLost(flight);
    await this.parts.store.release(key, { token, holdMs: 0 }).catch(() => undefined);
  }

  async giveUp(): Promise<void> {
    this.hasGivenUp = true;
    await Promise.all(this.due.entries().map(([lease]) => this.giveBack(lease)));
  }

  private schedule(ms: number): void {
    this.timer = this.parts.clock.setTimer(ms, () => this.renewDue());
  }

  private renewDue(): void {
    const now = this.parts.clock.monotonic();
    for (const [lease, dueAt] of this.due.entries()) {
      if (dueAt > now + this.periodMs * TOGETHER) break;
      this.due.delete(lease);
      this.due.set(lease, now + this.periodMs);
      void this.renew(lease);
    }
    const next = this.due.first();
    if (next !== undefined) this.schedule(Math.max(1, next - now));
  }

  private async renew(lease: KeptLease): Promise<void> {
    const { store, settings } = this.parts;
    const { key, token, flight } = lease;
    try {
      const kept = await store.renew(key, { token, leaseMs: settings.lease.ttlMs });
      if (kept || !this.due.has(lease)) return;
      this.stop(lease);
      this.onLost(flight);
    } catch {
      // Redis did not answer; the next renewal, or FILL itself, finds out whether the lease has survived.
    }
  }
}
