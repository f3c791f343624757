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

  /** Made by the module; see `RedisCacheModule.forRoot`. */
  constructor(feed: InvalidationFeed) {
    this.#feed = feed;
  }

  /** Whether all messages arrive, as far as is known: the copies in this process are being kept true. */
  get live(): boolean {
    return this.#feed.live;
  }

  /**
   * Calls the handler with everything that happens from now on, until the returned function is called or the cache is
   * closed. What it throws, or rejects with, goes to `onError` and the log.
   */
  on(handler: InvalidationHandler): () => void {
    return this.#feed.on(handler);
  }
}
