import type { Redis } from 'ioredis';
import type { Clock, TimerHandle } from '../common/clock.js';
import { dropConnection } from './closing.js';
import { reportOnce } from './connection.js';

export interface SubscriberOptions<Message = Buffer> {
  /** A client for one connection, not connected yet; asked for again whenever a new connection is needed. */
  createClient: () => Redis;
  channels: readonly string[];
  clock: Clock;
  /** For an open socket to be ready, and for SUBSCRIBE to be acknowledged. */
  answerMs: number;
  /** Runs on each new connection before SUBSCRIBE, and again after one that was refused; a rejection counts as a refusal. */
  prepare?: (client: Redis) => Promise<void>;
  /** `Message` is what the server sends on these channels; on the channel of its tracking it is no Buffer. */
  onMessage: (channel: string, message: Message) => void;
  /** Subscribed: whatever is published from now on arrives, as long as the connection lasts. */
  onLive: () => void;
  /** Exactly once after each `onLive`, however it ended, `close` included: messages are lost from now on. */
  onDown: () => void;
  /** Hears why there is no subscription: the same message at most once in ten seconds. */
  onError: (error: Error) => void;
}

/** Longest pause before another connection, and before another SUBSCRIBE where it was refused; the first is 50 ms. */
const MOST_PAUSE_MS = { lost: 1_000, refused: 10_000 };
const LEAST_PAUSE_MS = 50;
/** Spreads the processes that have lost the same server. */
const SPREAD_MS = 100;

/**
 * A pub/sub connection that is always replaced by a new one. Each connection is a client of its own, so that nothing
 * of an earlier one can be taken for news of this one: neither its acknowledgement nor its end.
 *
 * There is at most one timer, for what is expected next: an answer, or the next attempt.
 */
export class Subscriber<Message = Buffer> {
  private client: Redis | undefined;
  private timer: TimerHandle;
  private failures = 0;
  private acknowledged = false;
  private started = false;
  private closing: Promise<void> | undefined;
  private readonly report: (error: unknown) => void;

  constructor(private readonly options: SubscriberOptions<Message>) {
    this.report = reportOnce(options);
  }

  /** SUBSCRIBE was acknowledged on the connection that is open now. */
  get live(): boolean {
    return this.acknowledged;
  }

  start(): void {
    if (this.started || this.closing) return;
    this.started = true;
    this.connect();
  }

  /** Gives up a connection that is not to be trusted, and makes another. */
  reset(): void {
    if (this.client) this.lose();
  }

  /** Ends in whatever state it is, and leaves no handle behind. May be called twice. */
  close(): Promise<void> {
    return (this.closing ??= this.abandon());
  }

  private connect(): void {
    const client = this.options.createClient();
    this.client = client;
    const on = <Args extends unknown[]>(event: string, step: (...args: Args) => void): void =>
      void client.on(event, (...args: Args) => {
        if (this.client === client) step(...args);
      });
    on('error', this.report);
    // Until here the client keeps to the connect timeout by itself, for each Sentinel that it asks.
    on('connect', () => this.expectAnswer('The handshake'));
    on('ready', () => void this.subscribe(client));
    on('close', () => this.lose());
    on('end', () => this.lose());
    on('messageBuffer', (channel: Buffer, message: Message) =>
      this.options.onMessage(channel.toString(), message),
    );
    client.connect().catch(() => undefined);
  }

  private async subscribe(client: Redis): Promise<void> {
    this.expectAnswer('SUBSCRIBE');
    try {
      await this.options.prepare?.(client);
      await client.subscribe(...this.options.channels);
    } catch (error) {
      // Where the connection has gone, its end is on the way.
      if (this.client !== client || client.status !== 'ready') return;
      this.report(error);
      this.after(this.pauseMs('refused'), () => void this.subscribe(client));
      return;
    }
    if (this.client !== client) return;
    this.options.clock.clearTimer(this.timer);
    this.failures = 0;
    this.acknowledged = true;
    this.options.onLive();
  }

  private expectAnswer(to: string): void {
    const { answerMs } = this.options;
    this.after(answerMs, () => {
      this.report(new Error(`${to} was not answered within ${answerMs} ms`));
      this.lose();
    });
  }

  private lose(): void {
    void this.abandon();
    if (this.closing) return;
    this.after(this.pauseMs('lost'), () => this.connect());
  }

  private async abandon(): Promise<void> {
    const { client, options } = this;
    options.clock.clearTimer(this.timer);
    this.client = undefined;
    if (this.acknowledged) {
      this.acknowledged = false;
      options.onDown();
    }
    if (client) await dropConnection(client, options.clock);
  }

  private after(ms: number, step: () => void): void {
    const { clock } = this.options;
    clock.clearTimer(this.timer);
    this.timer = clock.setTimer(ms, step);
  }

  private pauseMs(why: keyof typeof MOST_PAUSE_MS): number {
    const pauseMs = Math.min(LEAST_PAUSE_MS * 2 ** this.failures++, MOST_PAUSE_MS[why]);
    return pauseMs + Math.random() * SPREAD_MS;
  }
}
