import type { Redis } from 'ioredis';
import type { Clock } from '../common/clock.js';
import { reportOnce } from '../redis/connection.js';
import { Subscriber } from '../redis/subscriber.js';
import type { Shard } from '../redis/topology.js';
import type { CallGuard } from '../resilience/call-guard.js';
import { BEAT, Heartbeat } from './heartbeat.js';
import type { InvalidationSink } from './invalidation-sink.js';
import { decodeMessage } from './message.js';
import type { Publisher } from './publisher.js';
import { Sequences } from './sequence.js';
import type { Wakeups } from './wakeups.js';

/** Messages from other processes, as far as they can be relied upon. */
export interface Bus {
  /** A message of our own, sent within the last three seconds, has come back over the connection that is open now. */
  readonly live: boolean;
  /** The server's clock minus ours, in ms, as measured last; 0 until then. */
  readonly serverOffsetMs: number;
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
}

/** Namespaces and an encoded key are far shorter. */
const MAX_WAKE_BYTES = 4_096;
/** An answer that took longer says too little about the time. */
const MAX_TIME_MS = 50;

/**
 * The messages of one shard. Live is what has been proved: a connection that is subscribed and silent may be dead, so
 * it takes a heartbeat that has come back. Losing a message is never wrong, only slow: who waits is woken by a timer
 * at last, and at once where it is known that messages may have been lost.
 */
export class RedisBus implements Bus {
  live = false;
  serverOffsetMs = 0;
  /** Messages that nothing of ours can have sent. */
  malformed = 0;
  private readonly sequences = new Sequences();
  private readonly subscriber: Subscriber;
  private readonly heartbeat: Heartbeat;
  private readonly reportHeartbeat: (error: unknown) => void;

  constructor(private readonly options: RedisBusOptions) {
    const { clock, channel, createClient, answerMs, wakeups, onError } = options;
    this.reportHeartbeat = reportOnce({ clock, onError: (error) => onError('heartbeat', error) });
    this.heartbeat = new Heartbeat({
      clock,
      send: (beat) => void this.send(beat),
      onSilence: () => {
        this.reportHeartbeat(new Error(`no heartbeat has come back from ${options.shard.name}`));
        this.subscriber.reset();
      },
    });
    this.subscriber = new Subscriber({
      createClient,
      channels: [channel, options.invalidations.channel],
      clock,
      answerMs,
      onMessage: (from, message) =>
        from === channel ? this.hear(message) : this.hearOfChange(message),
      onLive: () => {
        wakeups.wakeAll();
        this.sequences.forget();
        this.heartbeat.start();
      },
      onDown: () => this.goDown(),
      onError: (error) => onError('subscribe', error),
    });
  }

  start(): void {
    this.subscriber.start();
  }

  close(): Promise<void> {
    return this.subscriber.close();
  }

  private hear(message: Buffer): void {
    const text = message.length > MAX_WAKE_BYTES ? '' : message.toString();
    if (text.startsWith(this.options.namespace)) this.options.wakeups.wake(text);
    else if (text.startsWith(BEAT)) this.hearBeat(text);
    else this.malformed++;
  }

  private hearOfChange(bytes: Buffer): void {
    const { instance, publisher, sink } = this.options.invalidations;
    const message = decodeMessage(bytes);
    if (!message) {
      this.malformed++;
      return sink.distrust();
    }
    if (message.origin.instance === instance && !publisher.isNews(bytes.toString())) return;
    if (!this.sequences.follow(message)) sink.distrust();
    if (message.invalidation) sink.apply(message.invalidation);
  }

  private hearBeat(beat: string): void {
    if (!this.heartbeat.heard(beat) || this.live) return;
    this.live = true;
    this.options.invalidations.sink.open();
  }

  private goDown(): void {
    this.heartbeat.stop();
    if (this.live) {
      this.live = false;
      this.options.invalidations.sink.shut();
    }
    this.options.wakeups.wakeAll();
  }

  private async send(beat: string): Promise<void> {
    const { shard, channel, guard } = this.options;
    // A client of the application might keep it for an hour and send it then.
    if (shard.client.status !== 'ready') return;
    const publish = (): Promise<number> => shard.client.publish(channel, beat);
    try {
      await Promise.all([
        guard.run('write', 'heartbeat', publish, shard.name),
        this.measureOffset(),
      ]);
    } catch (error) {
      this.reportHeartbeat(error);
    }
  }

  /** Wrong by half the time that the answer took, at most. */
  private async measureOffset(): Promise<void> {
    const { shard, guard, clock } = this.options;
    const askedAt = clock.now();
    const time = (): Promise<unknown[]> => shard.client.time();
    const [seconds, micros] = (await guard.run('read', 'heartbeat', time, shard.name)).map(Number);
    const answeredAt = clock.now();
    if (answeredAt - askedAt > MAX_TIME_MS) return;
    this.serverOffsetMs = seconds! * 1_000 + micros! / 1_000 - (askedAt + answeredAt) / 2;
  }
}
