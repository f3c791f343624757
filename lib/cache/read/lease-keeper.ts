import type { TimerHandle } from '../../common/clock.js';
import { PassingList, type Link } from '../../common/passing-list.js';
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
export class KeptLease implements Link<KeptLease> {
  /** When it is to be prolonged, monotonic ms; undefined: it is not kept. */
  dueAt: number | undefined;
  before: KeptLease | undefined;
  after: KeptLease | undefined;

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
  /** The first one to be prolonged first. */
  private readonly kept = new PassingList<KeptLease>();
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
    lease.dueAt = this.parts.clock.monotonic() + this.periodMs;
    this.kept.add(lease);
    if (this.kept.size === 1) this.schedule(this.periodMs);
  }

  stop(lease: KeptLease): void {
    if (lease.dueAt === undefined) return;
    lease.dueAt = undefined;
    this.kept.delete(lease);
    if (this.kept.size === 0) this.parts.clock.clearTimer(this.timer);
  }

  /** Gives it back now, so that others need not wait until it expires. */
  async giveBack(lease: KeptLease): Promise<void> {
    if (lease.dueAt === undefined) return;
    const { key, token, flight } = lease;
    this.stop(lease);
    this.onLost(flight);
    await this.parts.store.release(key, { token, holdMs: 0 }).catch(() => undefined);
  }

  async giveUp(): Promise<void> {
    this.hasGivenUp = true;
    await Promise.all(this.kept.items().map((lease) => this.giveBack(lease)));
  }

  private schedule(ms: number): void {
    this.timer = this.parts.clock.setTimer(ms, () => this.renewDue());
  }

  private renewDue(): void {
    const now = this.parts.clock.monotonic();
    for (const lease of this.kept.items()) {
      if (lease.dueAt! > now + this.periodMs * TOGETHER) break;
      this.kept.delete(lease);
      lease.dueAt = now + this.periodMs;
      this.kept.add(lease);
      void this.renew(lease);
    }
    const { first } = this.kept;
    if (first) this.schedule(Math.max(1, first.dueAt! - now));
  }

  private async renew(lease: KeptLease): Promise<void> {
    const { store, settings } = this.parts;
    const { key, token, flight } = lease;
    try {
      const kept = await store.renew(key, { token, leaseMs: settings.lease.ttlMs });
      if (kept || lease.dueAt === undefined) return;
      this.stop(lease);
      this.onLost(flight);
    } catch {
      // Redis did not answer; the next renewal, or FILL itself, finds out whether the lease has survived.
    }
  }
}
