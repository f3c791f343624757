import { Redis, type RedisOptions } from 'ioredis';
import { deferred } from '../common/async.js';
import type { Clock } from '../common/clock.js';
import { CacheOptionsError } from '../common/errors.js';
import { withoutCommand } from '../resilience/redis-failure.js';
import { DISCONNECT_MS } from './closing.js';
import { MasterSearch } from './master-search.js';
import { giveUpWhenSilent } from './silence.js';
import type { RedisClient } from './topology.js';
import { hearUnreadyClose, leaveWithoutDatabase, nameUnansweredTls } from './unready.js';

/** What a connection of ours needs beside its address. */
export interface ConnectionContext {
  clock: Clock;
  /** `timeouts.connect`. */
  connectTimeoutMs: number;
  /** The longest that a call may take: the longer one of `timeouts.read` and `timeouts.write`. Default: a second. */
  answerMs?: number;
  /** Hears why a connection is lost or cannot be made: the same message at most once in ten seconds. */
  onError: (error: Error) => void;
}

const SAME_ERROR_MS = 10_000;
/** Distinct messages remembered for that; beyond, all are forgotten. */
const REMEMBERED_ERRORS = 32;
const LOADING_RETRY_MS = 250;

/** A client of ours, not connected yet. `redis` goes before the safe options, `url` before both. */
export function createConnection(
  { url, redis }: { url?: string; redis?: RedisOptions },
  context: ConnectionContext,
): Redis {
  const search = new MasterSearch({
    clock: context.clock,
    createClient: () => createPubSubClient(client, context),
  });
  const options: RedisOptions = {
    ...safeOptions(context),
    reconnectOnError: (error: Error) => (search.hear(error, client), false),
    ...redis,
  };
  const client: Redis = url === undefined ? new Redis(options) : fromUrl(url, options);
  nameUnansweredTls(client);
  leaveWithoutDatabase(client);
  client.on('error', reportOnce(context));
  hearUnreadyClose(client, (why) => client.emit('error', why));
  client.on('close', () => forgetSentinels(client));
  giveUpWhenSilent(client, context);
  return client;
}

/**
 * The Sentinels that would tell of a new master go with the connection that they were to end. Heard while the client asks for
 * the master, their word would end that attempt, and with it the client for good.
 */
function forgetSentinels(client: Redis): void {
  const { connector } = client as unknown as {
    connector: { failoverDetector?: { cleanup: () => void } | null };
  };
  connector.failoverDetector?.cleanup();
}

/**
 * Nothing waits in the client: a command is written at once or rejected, and rejected when its connection goes, so that
 * the deadline around the call is the only clock. The client would otherwise queue for 20 reconnects (73 s), send what
 * was in flight a second time, and keep a hung server's socket for ever.
 */
export function safeOptions({
  connectTimeoutMs,
}: Pick<ConnectionContext, 'connectTimeoutMs'>): RedisOptions {
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // Any other number leaves commands in flight unsettled when their connection goes: without the resending, nobody
    // takes them out of the queue.
    maxRetriesPerRequest: 0,
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: DISCONNECT_MS,
    keepAlive: 5_000,
    maxLoadingRetryTime: 1_000,
    retryStrategy: (attempt) => Math.min(50 * 2 ** (attempt - 1), 1_000) + Math.random() * 100,
    failoverDetector: true,
    sentinelReconnectStrategy: (attempt) => Math.min(100 * attempt, 1_000),
    sentinelCommandTimeout: connectTimeoutMs,
  };
}

/**
 * A client for pub/sub to the same address, not connected yet, to be closed by whoever asks for it. It is good for one
 * connection: reconnecting and subscribing again are for its owner, since the client reports itself ready before it is
 * subscribed, and leaves the rejection unhandled when it cannot be.
 *
 * Without the options that would end a connection on which nothing is said for a while, and without Sentinel's own
 * messages: an owner that expects a heartbeat notices a failover as well.
 */
export function createPubSubClient(
  like: Redis,
  { connectTimeoutMs }: Pick<ConnectionContext, 'connectTimeoutMs'>,
): Redis {
  const client = like.duplicate({
    lazyConnect: true,
    // With RESP3 the client drops what the server's tracking sends.
    protocol: 2,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    retryStrategy: null,
    reconnectOnError: null,
    commandTimeout: undefined,
    socketTimeout: undefined,
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: DISCONNECT_MS,
    maxLoadingRetryTime: LOADING_RETRY_MS,
    failoverDetector: false,
    sentinelRetryStrategy: () => null,
    sentinelCommandTimeout: connectTimeoutMs,
  });
  nameUnansweredTls(client);
  return client;
}

function fromUrl(url: string, options: RedisOptions): Redis {
  const understood = url
    // The client looks for `rediss://` by letter case, and would go on without TLS.
    .replace(/^rediss?:/i, (scheme) => scheme.toLowerCase())
    .replace(/^unix:\/\/(?=\/)/i, '');
  try {
    return new Redis(understood, options);
  } catch (error) {
    // Carries the URL, and with it the password.
    if (!['TypeError', 'URIError'].includes((error as Error).name)) throw error;
    throw new CacheOptionsError('the connection to Redis', [
      {
        path: 'topology.url',
        given: 'no valid URL',
        accepted: 'redis://user:password@host:6379/0',
      },
    ]);
  }
}

/** Passes errors on without their command, the same message at most once in ten seconds. */
export function reportOnce({
  clock,
  onError,
}: Pick<ConnectionContext, 'clock' | 'onError'>): (error: unknown) => void {
  const reportedAt = new Map<string, number>();
  return (error) => {
    const failure = withoutCommand(error);
    const now = clock.monotonic();
    if (now - (reportedAt.get(failure.message) ?? -Infinity) < SAME_ERROR_MS) return;
    if (reportedAt.size >= REMEMBERED_ERRORS) reportedAt.clear();
    reportedAt.set(failure.message, now);
    onError(failure);
  };
}

/** Resolves when the client is ready, when its first attempt has failed, or after the connect timeout; never rejects. */
export async function connectOnce(client: RedisClient, context: ConnectionContext): Promise<void> {
  if (client.status === 'ready' || client.status === 'end') return;
  const first = deferred<void>();
  // `error` because a client that finds no sentinel neither connects nor closes.
  const events = ['ready', 'error', 'close', 'end'] as const;
  const done = (): void => first.resolve();
  for (const event of events) client.once(event, done);
  const timer = context.clock.setTimer(context.connectTimeoutMs, done);
  if (client.status === 'wait') client.connect().catch(() => undefined);
  await first.promise;
  context.clock.clearTimer(timer);
  for (const event of events) client.off(event, done);
}
