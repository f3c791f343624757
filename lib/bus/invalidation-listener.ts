import { assertFunction } from '../common/option-checks.js';
import type { InvalidationFeed, InvalidationHandler } from './invalidation-feed.js';

/**
 * Tells the application which entries are outdated, whoever has done it: this process, another one, or nobody knows. What
 * messages tell comes at most once and without a promise to come at all; where one may have been lost, an event with `all`
 * and the reason `disconnect` stands for everything.
 *
 * @publicApi
 */
export class InvalidationListener {
  readonly #feed: InvalidationFeed;
  readonly #lagMs: () => number | undefined;

  /** Made by the module; see `RedisCacheModule.forRoot`. */
  constructor(feed: InvalidationFeed, lagMs: () => number | undefined = () => undefined) {
    this.#feed = feed;
    this.#lagMs = lagMs;
  }

  /** Whether all messages arrive, as far as is known: the copies in this process are being kept true. */
  get live(): boolean {
    return this.#feed.live;
  }

  /**
   * How long a message takes through Redis, in ms, as measured within the last second or so; of several shards the slowest.
   * Undefined: they do not all arrive, or there is no Redis.
   */
  get lagMs(): number | undefined {
    return this.#lagMs();
  }

  /**
   * Calls the handler with everything that happens from now on, until the returned function is called or the cache is
   * closed. What it throws, or rejects with, goes to `onError` and the log. Throws `CacheOptionsError` for what is no function.
   */
  on(handler: InvalidationHandler): () => void {
    assertFunction('InvalidationListener.on', 'handler', handler);
    return this.#feed.on(handler);
  }
}
