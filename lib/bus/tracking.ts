import type { Redis } from 'ioredis';
import type { InvalidationSink } from './invalidation-sink.js';
import type { Meter } from '../observe/meter.js';
import { ProvenSubscription, type ProvenSubscriptionOptions } from './proven-subscription.js';

/** Hears of changes whoever makes them. */
export interface TrackingSink extends Omit<InvalidationSink, 'apply'> {
  /** Entries that may have changed, in whatever way; among them those at which a load has only begun, or ended. */
  changed(keys: readonly string[]): void;
  /** Everything on that server is gone. */
  flushed(): void;
}

export interface TrackingOptions extends Pick<
  ProvenSubscriptionOptions<TrackingMessage>,
  'shard' | 'createClient' | 'channel' | 'guard' | 'clock' | 'answerMs'
> {
  /** What the Redis keys of this cache begin with. */
  namespace: string;
  /** `shut` exactly once after each `open`. */
  sink: TrackingSink;
  /** Hears what keeps it from being live: the same thing at most once in ten seconds. */
  onError: (operation: 'tracking', error: Error) => void;
  meter?: Meter;
}

/** Redis keys that have changed; null: all of them. A Buffer is not from the server, but published by somebody. */
type TrackingMessage = Buffer | readonly Buffer[] | null;

const CHANNEL = '__redis__:invalidate';

/**
 * What one server tells by itself of changes to its keys (CLIENT TRACKING): those of other programs as well, expiry and
 * eviction among them. Needs a connection to each master, since each tells only of its own keys.
 *
 * In the broadcasting mode the server keeps no table of who has read what, and does not forget a client that has written;
 * it tells of every change below the prefixes. The connection redirects to itself, so that what the server tells and the
 * tracking end together. Live when the tracking is on, and a heartbeat has come back over that very connection.
 */
export class Tracking {
  /** Messages on its channels that the server did not send. */
  malformed = 0;
  private readonly subscription: ProvenSubscription<TrackingMessage>;

  constructor(private readonly options: TrackingOptions) {
    const { namespace, sink, onError } = options;
    this.subscription = new ProvenSubscription<TrackingMessage>({
      ...options,
      channels: [CHANNEL],
      prepare: (client) => trackOwn(client, prefixesOf(namespace)),
      onMessage: (_, message) => this.hear(message),
      onLive: () => sink.open(),
      onDown: () => sink.shut(),
      onError: (_, error) => onError('tracking', error),
    });
  }

  get live(): boolean {
    return this.subscription.live;
  }

  start(): void {
    this.subscription.start();
  }

  /** Ends in whatever state it is. May be called twice. */
  close(): Promise<void> {
    return this.subscription.close();
  }

  private hear(message: TrackingMessage): void {
    const { sink } = this.options;
    if (message === null) return sink.flushed();
    if (!Array.isArray(message)) {
      this.malformed++;
      this.options.meter?.count('invalidationsMalformed');
      return sink.distrust();
    }
    sink.changed(message.map(String).filter(isEntry));
  }
}

/** Of the entries, and of everything in nested namespaces; one that is the beginning of another would be refused. */
const prefixesOf = (namespace: string): string[] => [
  `${namespace}:k`,
  `${namespace}:h`,
  `${namespace}/`,
];

/**
 * In a nested namespace there are other kinds of keys, too. A path holds no `:`, so the kind stands behind the first one; what has
 * none is not ours, and of that there is no copy.
 */
function isEntry(key: string): boolean {
  const kind = key[key.indexOf(':') + 1];
  return kind === 'k' || kind === 'h';
}

async function trackOwn(client: Redis, prefixes: readonly string[]): Promise<void> {
  // Where SUBSCRIBE was refused afterwards it is on already, and the same prefixes would be refused.
  await client.call('CLIENT', 'TRACKING', 'OFF');
  const id = String(await client.call('CLIENT', 'ID'));
  const prefixed = prefixes.flatMap((prefix) => ['PREFIX', prefix]);
  await client.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, 'BCAST', ...prefixed);
}
