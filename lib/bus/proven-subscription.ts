import { reportOnce } from '../redis/connection.js';
import { Subscriber, type SubscriberOptions } from '../redis/subscriber.js';
import type { Shard } from '../redis/topology.js';
import type { CallGuard } from '../resilience/call-guard.js';
import { BEAT, Heartbeat } from './heartbeat.js';

export interface ProvenSubscriptionOptions<Message> extends Pick<
  SubscriberOptions<Message>,
  'createClient' | 'clock' | 'answerMs' | 'prepare'
> {
  /** Whose messages are heard. Heartbeats are sent over its client. */
  shard: Shard;
  /** The channel of this subscription alone, for its heartbeats. */
  channel: string;
  /** The others. */
  channels: readonly string[];
  guard: CallGuard;
  /** Everything but heartbeats. */
  onMessage: (channel: string, message: Message) => void;
  /** Exactly once after each `onLive`. */
  onLive: () => void;
  onDown: () => void;
  /** Messages may arrive from now on, and may not, until `onLive`; and they do not any more. */
  onSubscribed?: () => void;
  onUnsubscribed?: () => void;
  /** Runs along with each heartbeat; what it rejects with is reported as one that could not be sent. */
  alongside?: () => Promise<unknown>;
  /** Hears what keeps messages from arriving: the same thing at most once in ten seconds. */
  onError: (operation: 'subscribe' | 'heartbeat', error: Error) => void;
}

/**
 * A subscription that is live while that is proved: one that is silent may be dead, so it takes a heartbeat that has come
 * back. It is sent over the connection of the commands, and so proves as well that both have the same server.
 */
export class ProvenSubscription<Message = Buffer> {
  live = false;
  private readonly subscriber: Subscriber<Message>;
  private readonly heartbeat: Heartbeat;
  private readonly reportHeartbeat: (error: unknown) => void;

  constructor(private readonly options: ProvenSubscriptionOptions<Message>) {
    const { clock, onError, channel, channels } = options;
    this.reportHeartbeat = reportOnce({ clock, onError: (error) => onError('heartbeat', error) });
    this.heartbeat = new Heartbeat({
      clock,
      send: (beat) => void this.send(beat),
      onSilence: () => {
        this.reportHeartbeat(new Error(`no heartbeat has come back from ${options.shard.name}`));
        this.subscriber.reset();
      },
    });
    this.subscriber = new Subscriber<Message>({
      ...options,
      channels: [channel, ...channels],
      onMessage: (from, message) => this.hear(from, message),
      onLive: () => {
        options.onSubscribed?.();
        this.heartbeat.start();
      },
      onDown: () => this.goDown(),
      onError: (error) => onError('subscribe', error),
    });
  }

  /** From the commands' connection through the server to this one, as measured last; undefined: not live. */
  get lagMs(): number | undefined {
    return this.live ? this.heartbeat.lagMs : undefined;
  }

  start(): void {
    this.subscriber.start();
  }

  /** Ends in whatever state it is. May be called twice. */
  close(): Promise<void> {
    return this.subscriber.close();
  }

  private hear(from: string, message: Message): void {
    const beat = from === this.options.channel ? beatIn(message) : undefined;
    if (beat === undefined) return this.options.onMessage(from, message);
    if (!this.heartbeat.heard(beat) || this.live) return;
    this.live = true;
    this.options.onLive();
  }

  private goDown(): void {
    this.heartbeat.stop();
    if (this.live) {
      this.live = false;
      this.options.onDown();
    }
    this.options.onUnsubscribed?.();
  }

  private async send(beat: string): Promise<void> {
    const { shard, channel, guard, alongside } = this.options;
    // A client of the application might keep it for an hour and send it then.
    if (shard.client.status !== 'ready') return;
    const publish = (): Promise<number> => shard.client.publish(channel, beat);
    try {
      await Promise.all([guard.run('write', 'heartbeat', publish, shard.name), alongside?.()]);
    } catch (error) {
      this.reportHeartbeat(error);
    }
  }
}

/** Far longer than any beat. */
const MAX_BEAT_BYTES = 32;

function beatIn(message: unknown): string | undefined {
  if (!Buffer.isBuffer(message) || message.length > MAX_BEAT_BYTES) return undefined;
  const text = message.toString();
  return text.startsWith(BEAT) ? text : undefined;
}
