import type { Clock, TimerHandle } from '../common/clock.js';
import { CacheConnectionError } from '../common/errors.js';

export type CircuitState =
  /** Calls are sent. */
  | 'closed'
  /** Calls are refused at once. */
  | 'open'
  /** As `open`, and a PING is on its way. */
  | 'half-open';

export interface CircuitChange {
  node: string;
  state: 'open' | 'closed';
  /** One line for the log. */
  message: string;
}

export interface CircuitBreakerOptions {
  /** The server's name in errors. */
  node: string;
  clock: Clock;
  /** Sends a PING, and settles in the time of a read. What becomes of it is told like that of any call. */
  probe: () => Promise<unknown>;
  /** Exactly once per change; half-open is none. */
  onChange: (change: CircuitChange) => void;
}

const OPENS_AFTER = { inARow: 5, share: 0.5, ofAtLeast: 20, withinMs: 1_000 };
/** Between two PINGs, give or take a fifth, so that processes do not ask in step. */
const PROBE_MS = 500;

/**
 * Spares callers the wait for a node that does not answer: after 5 failures in a row, or 50 % of at least 20 calls in a
 * second, calls are refused until it answers a PING. The libraries for this try out with a caller's call, which then waits.
 *
 * A failure is no answer, or no connection. It does not count if something that was sent later was answered: then the
 * node lives, and that call alone was slow. An error that the node sends is an answer.
 */
export class CircuitBreaker {
  state: CircuitState = 'closed';
  opened = 0;
  refused = 0;
  private inARow = 0;
  /** Since the first failure in a second; `calls` counts on until the next one that is later than that. */
  private window = windowFrom(-Infinity);
  /** When the latest call that was answered had been sent. */
  private aliveAt = -Infinity;
  private outage: { since: number; cause: Error } | undefined;
  private probedAt = 0;
  private timer: TimerHandle;
  private stopped = false;

  constructor(private readonly options: CircuitBreakerOptions) {}

  /** Of a call that is not sent, while it is not closed. */
  refusal(operation: string): CacheConnectionError {
    this.refused++;
    const { since, cause } = this.outage!;
    return new CacheConnectionError(
      `${operation} was not sent: ${this.options.node} has not answered since ${new Date(since).toISOString()}; the last error: ${cause.message}`,
      { cause },
    );
  }

  answered(sentAt: number): void {
    if (this.state === 'closed') {
      this.inARow = 0;
      this.window.calls++;
      if (sentAt > this.aliveAt) this.aliveAt = sentAt;
    } else if (sentAt >= this.probedAt) this.close(sentAt);
  }

  failed(sentAt: number, cause: Error): void {
    if (this.outage) {
      if (sentAt >= this.probedAt) this.outage.cause = cause;
      return;
    }
    if (sentAt < this.aliveAt || this.stopped) return;
    const now = this.options.clock.monotonic();
    if (now - this.window.since > OPENS_AFTER.withinMs) this.window = windowFrom(now);
    const { window } = this;
    window.calls++;
    window.failures++;
    this.inARow++;
    const { inARow, share, ofAtLeast } = OPENS_AFTER;
    const isMuch = window.calls >= ofAtLeast && window.failures >= share * window.calls;
    if (this.inARow >= inARow || isMuch) this.open(cause);
  }

  /** Asks at once, if it is open: there is a new connection. */
  ask(): void {
    if (this.state !== 'open' || this.stopped) return;
    this.options.clock.clearTimer(this.timer);
    void this.probe();
  }

  /** Asks no more. It stays as it is. */
  stop(): void {
    this.stopped = true;
    this.options.clock.clearTimer(this.timer);
  }

  private open(cause: Error): void {
    const { node, clock, onChange } = this.options;
    this.state = 'open';
    this.opened++;
    this.outage = { since: clock.now(), cause };
    this.probedAt = Infinity;
    this.probeLater();
    const message = `${node} does not answer, and nothing is sent to it until it does: ${cause.message}`;
    onChange({ node, state: 'open', message });
  }

  private probeLater(): void {
    const { clock } = this.options;
    this.timer = clock.setTimer(PROBE_MS * (0.8 + 0.4 * Math.random()), () => void this.probe());
  }

  private async probe(): Promise<void> {
    const { outage } = this;
    this.state = 'half-open';
    this.probedAt = this.options.clock.monotonic();
    // Whether it was answered has been told by then.
    await this.options.probe().catch(() => undefined);
    if (this.outage !== outage) return;
    this.state = 'open';
    if (!this.stopped) this.probeLater();
  }

  private close(aliveAt: number): void {
    const { node, clock, onChange } = this.options;
    const lastedMs = clock.now() - this.outage!.since;
    this.outage = undefined;
    this.state = 'closed';
    this.inARow = 0;
    this.window = windowFrom(-Infinity);
    this.aliveAt = aliveAt;
    onChange({ node, state: 'closed', message: `${node} answers again, after ${lastedMs} ms` });
  }
}

const windowFrom = (since: number) => ({ since, calls: 0, failures: 0 });
