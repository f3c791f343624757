import type { Clock, TimerHandle } from '../common/clock.js';
import { Deadlines, type Deadline } from '../resilience/deadlines.js';

export interface HeartbeatOptions {
  clock: Clock;
  /** Publishes a beat; it may never arrive, and this must not throw. */
  send: (beat: string) => void;
  /** No beat has come back in time; the heartbeat has stopped. */
  onSilence: () => void;
}

/** What beats begin with; a Redis key begins with its namespace, which cannot have this in it. */
export const BEAT = '!';

const BEAT_MS = 1_000;
/** The first beats follow each other faster: after 50, 100, 200 ms and so on. */
const FIRST_PAUSE_MS = 50;
/** How long a beat proves, from the moment it was sent, that messages arrive. */
const PROOF_MS = 3_000;

/**
 * Messages to ourselves, which prove that messages arrive. A subscription can be dead without a sign: its connection
 * black-holed, the node behind it frozen, the link between two nodes down.
 *
 * Each beat has a deadline, lifted when a later beat returns. So the deadline that is left is that of the last beat that
 * has returned, and silence is noticed three seconds after that one was sent. Only the beats of these three seconds
 * are remembered.
 */
export class Heartbeat {
  private readonly proofs = new Map<
    string,
    { readonly deadline: Deadline; readonly sentAt: number }
  >();
  private readonly deadlines: Deadlines;
  private timer: TimerHandle;
  /** Numbers are never used again, so a late beat of an earlier connection proves nothing about this one. */
  private next = 0;
  /** What the last beat took that has come back, in ms. */
  lagMs: number | undefined;

  constructor(private readonly options: HeartbeatOptions) {
    this.deadlines = new Deadlines(PROOF_MS, options.clock);
  }

  start(): void {
    this.stop();
    this.beat(FIRST_PAUSE_MS);
  }

  stop(): void {
    this.options.clock.clearTimer(this.timer);
    for (const { deadline } of this.proofs.values()) this.deadlines.clear(deadline);
    this.proofs.clear();
  }

  /** True if it is a beat of ours that still proves something. */
  heard(beat: string): boolean {
    const own = this.proofs.get(beat);
    if (!own) return false;
    this.lagMs = this.options.clock.monotonic() - own.sentAt;
    for (const [earlier, { deadline }] of this.proofs) {
      if (earlier === beat) break;
      this.deadlines.clear(deadline);
      this.proofs.delete(earlier);
    }
    return true;
  }

  private beat(pauseMs: number): void {
    const { clock, send, onSilence } = this.options;
    const beat = `${BEAT}${this.next++}`;
    const deadline = this.deadlines.set(() => {
      this.proofs.delete(beat);
      this.stop();
      onSilence();
    });
    this.proofs.set(beat, { deadline, sentAt: clock.monotonic() });
    this.timer = clock.setTimer(pauseMs, () => this.beat(Math.min(2 * pauseMs, BEAT_MS)));
    send(beat);
  }
}
