import type { Redis } from 'ioredis';
import type { Clock } from '../common/clock.js';
import type { Meter } from '../observe/meter.js';
import type { Shard } from '../redis/topology.js';
import type { CallGuard } from '../resilience/call-guard.js';
import type { InvalidationSink } from './invalidation-sink.js';
import { decodeMessage } from './message.js';
import { ProvenSubscription } from './proven-subscription.js';
import type { Publisher } from './publisher.js';
import { Sequences } from './sequence.js';
import { ServerClock } from './server-clock.js';
import type { Wakeups } from './wakeups.js';

/** Messages from other processes, as far as they can be relied upon. */
export interface Bus {
  /** A message of our own, sent within the last three seconds, has come back over the connection that is open now. */
  readonly live: boolean;
  /** The server's clock minus ours, in ms, as measured last; 0 until then. */
  readonly serverOffsetMs: number;
  /** How long a message of our own took to come back, in ms, at most a second ago or so; undefined: not live. */
  readonly lagMs: number | undefined;
  start(): void;
  /** Ends in whatever state it is. May be called twice. */
  close(): Promise<void>;
}

export interface RedisBusOptions {
  /** Whose messages are heard. Heartbeats are sent over its client. */
  shard: Shard;
  /** A client for one pub/sub connection to it, not connected yet. */
  createClient: () => Redis;
  /** What the Redis keys of this cache begin with. */
  namespace: string;
  /** The channel of this process: its messages are Redis keys to wake, and heartbeats. */
  channel: string;
  wakeups: Wakeups;
  guard: CallGuard;
  clock: Clock;
  /** `timeouts.connect`. */
  answerMs: number;
  invalidations: {
    /** The channel of all processes of this cache. */
    channel: string;
    /** This process, whose own messages it has acted upon already, unless the publisher says otherwise. */
    instance: string;
    publisher: Publisher;
    /** `shut` exactly once after each `open`. */
    sink: InvalidationSink;
  };
  /** Hears what keeps messages from arriving: the same thing at most once in ten seconds. */
  onError: (operation: 'subscribe' | 'heartbeat', error: Error) => void;
  meter?: Meter;
}

/** Namespaces and an encoded key are far shorter. */
const MAX_WAKE_BYTES = 4_096;

/**
 * The messages of one shard. Losing one is never wrong, only slow: who waits is woken by a timer at last, and at once
 * where it is known that messages may have been lost.
 */
export class RedisBus implements Bus {
  /** Compared with our monotonic one: a jump of our wall clock changes nothing. */
  private readonly serverClock = new ServerClock();
  /** Messages that nothing of ours can have sent. */
  malformed = 0;
  /** Also of the connections before this one: where nothing was said in between, nothing is missing. */
  private readonly sequences = new Sequences();
  private readonly subscription: ProvenSubscription;

  constructor(private readonly options: RedisBusOptions) {
    const { wakeups, invalidations } = options;
    this.subscription = new ProvenSubscription({
      ...options,
      channels: [invalidations.channel],
      onMessage: (from, message) =>
        from === options.channel ? this.hearWake(message) : this.hearOfChange(message),
      onSubscribed: () => wakeups.wakeAll(),
      onLive: () => invalidations.sink.open(),
      onDown: () => invalidations.sink.shut(),
      onUnsubscribed: () => wakeups.wakeAll(),
      alongside: () => this.measureOffset(),
    });
  }

  get live(): boolean {
    return this.subscription.live;
  }

  get lagMs(): number | undefined {
    return this.subscription.lagMs;
  }

  get serverOffsetMs(): number {
    const { clock } = this.options;
    const { aheadMs } = this.serverClock;
    return aheadMs === undefined ? 0 : clock.monotonic() + aheadMs - clock.now();
  }

  start(): void {
    this.subscription.start();
  }

  close(): Promise<void> {
    return this.subscription.close();
  }

  private hearWake(message: Buffer): void {
    const text = message.length > MAX_WAKE_BYTES ? '' : message.toString();
    if (text.startsWith(this.options.namespace)) this.options.wakeups.wake(text);
    else this.noteMalformed();
  }

  private hearOfChange(bytes: Buffer): void {
    const { instance, publisher, sink } = this.options.invalidations;
    const message = decodeMessage(bytes);
    if (!message) {
      this.noteMalformed();
      return sink.distrust();
    }
    if (message.origin.instance === instance && !publisher.isNews(bytes.toString())) return;
    if (!this.sequences.follow(message)) sink.distrust();
    if (message.invalidation) sink.apply(message.invalidation);
  }

  private noteMalformed(): void {
    this.malformed++;
    this.options.meter?.count('invalidationsMalformed');
  }

  private async measureOffset(): Promise<void> {
    const { shard, guard, clock } = this.options;
    const askedAt = clock.monotonic();
    const time = (): Promise<unknown[]> => shard.client.time();
    const [seconds, micros] = (await guard.run('read', 'heartbeat', time, shard.name)).map(Number);
    const answeredAt = clock.monotonic();
    this.serverClock.answered(seconds! * 1_000 + micros! / 1_000, { askedAt, answeredAt });
  }
}
