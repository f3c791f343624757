import type { TimerHandle } from '../../common/clock.js';
import type { CacheParts } from '../parts.js';

/** Prolongs a lease every third of its life while the loader runs; tells when it is lost. One timer per running load. */
export class LeaseKeeper {
  private timer: TimerHandle;
  private stopped = false;

  constructor(
    private readonly parts: CacheParts,
    private readonly lease: { key: string; token: string },
    private readonly onLost: () => void,
  ) {
    this.schedule();
  }

  stop(): void {
    this.stopped = true;
    this.parts.clock.clearTimer(this.timer);
  }

  private schedule(): void {
    const ms = Math.max(1, this.parts.settings.lease.ttlMs / 3);
    this.timer = this.parts.clock.setTimer(ms, () => void this.renew());
  }

  private async renew(): Promise<void> {
    const { store, settings } = this.parts;
    try {
      const kept = await store.renew(this.lease.key, {
        token: this.lease.token,
        leaseMs: settings.lease.ttlMs,
      });
      if (this.stopped) return;
      if (!kept) return this.onLost();
    } catch {
      // Redis did not answer; the next renewal, or FILL itself, finds out whether the lease has survived.
      if (this.stopped) return;
    }
    this.schedule();
  }
}
