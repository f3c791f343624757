import { isPromiseLike } from '../common/async.js';
import type { Clock } from '../common/clock.js';
import { isCacheError } from '../common/errors.js';
import type { Meter } from './meter.js';

/** What `onError` hears: the call that failed, what it returns instead, and why. */
export interface CacheErrorEvent {
  operation: string;
  returning: unknown;
  error: Error;
}

/** Where one-line messages go; Nest's Logger fits. */
export interface LogSink {
  warn(message: string): void;
}

const ONE_LINE_PER_MS = 10_000;
/** Causes remembered for the rate limit; they are operation and error code, so there are a few dozen at most. */
const MOST_CAUSES = 256;
/** What a call rejects with where Redis has failed it. */
const OF_REDIS: ReadonlySet<string> = new Set(['ERR_CACHE_CONNECTION', 'ERR_CACHE_TIMEOUT']);

/**
 * Tells the application what the cache swallowed: every event to `onError`, one log line per cause and ten seconds.
 * No key, value or command reaches the log by us; the message of the application's own error goes there as it is.
 */
export class Reporter {
  private readonly lines = new Map<string, { at: number; more: number }>();

  constructor(
    private readonly options: {
      clock: Clock;
      log: LogSink;
      onError?: (event: CacheErrorEvent) => void;
      meter?: Meter;
    },
  ) {}

  /** `logged`: what the log says of it, where the error's own message names something that users may have typed. */
  report(operation: string, returning: unknown, cause: unknown, logged?: string): void {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    this.options.meter?.error(operation, error);
    this.warn(
      `${operation}:${(error as { code?: string }).code ?? error.name}`,
      `${operation} failed: ${logged ?? withReason(error)}`,
    );
    const failed = (thrown: unknown): void =>
      this.warn('onError', `the onError handler threw: ${String(thrown)}`);
    try {
      const heard: unknown = this.options.onError?.({ operation, returning, error });
      if (isPromiseLike(heard)) heard.then(undefined, failed);
    } catch (thrown) {
      failed(thrown);
    }
  }

  /** What this call gives, for which nothing can stand in: where Redis has failed it, it is told of, and rejects all the same. */
  async told<T>(operation: string, call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      if (isCacheError(error) && OF_REDIS.has(error.code)) this.report(operation, undefined, error);
      throw error;
    }
  }

  /** A line for a cause, at most every ten seconds; the next one says how many were left out. */
  warn(cause: string, message: string): void {
    const now = this.options.clock.monotonic();
    const line = this.lines.get(cause);
    if (line && now - line.at < ONE_LINE_PER_MS) {
      line.more++;
      return;
    }
    if (this.lines.size >= MOST_CAUSES) this.lines.clear();
    this.lines.set(cause, { at: now, more: 0 });
    this.options.log.warn(line?.more ? `${message} (and ${line.more} more like it)` : message);
  }
}

/** An evict that did not get through says what becomes of it, and its cause why; there is no key in that. */
function withReason(error: Error): string {
  const isEvict = isCacheError(error) && error.code === 'ERR_CACHE_EVICT';
  return isEvict && error.cause instanceof Error
    ? `${error.message}: ${error.cause.message}`
    : error.message;
}
