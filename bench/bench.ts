import { randomBytes } from 'node:crypto';
import { Redis, type RedisOptions } from 'ioredis';
import { assemble, type AssembledCache } from '../lib/module/assemble.js';
import type { RedisCacheOptions } from '../lib/module/redis-cache.options.js';
import { resolveOptions } from '../lib/module/resolve-options.js';
import type { Servers } from './servers.js';

const REMOVED_AT_ONCE = 10_000;

/** What a question works with: caches and clients of its own, all on one Redis, closed when it is answered. */
export class Bench {
  /** A plain client for preparing and looking. */
  readonly redis: Redis;
  private readonly run: string;
  private readonly caches: AssembledCache[] = [];
  private readonly clients: Redis[] = [];
  private readonly closing: (() => unknown)[] = [];
  private names = 0;

  /** `run`: what a process that takes part begins its names with; each then has the same names in the same order. */
  constructor(
    readonly redisUrl: string,
    private readonly parts: { readonly run?: string; readonly servers?: Servers } = {},
  ) {
    this.run = parts.run ?? `bench-${randomBytes(6).toString('hex')}`;
    this.redis = this.openClient();
  }

  /** To start more than the one Redis. */
  get servers(): Servers {
    const { servers } = this.parts;
    if (!servers) throw new Error('Servers are started by the process that asks the questions');
    return servers;
  }

  /** Of nobody else: what all keys of one contender begin with, and a namespace. Always of one length. */
  ownName(): string {
    return `${this.run}-${String(this.names++).padStart(2, '0')}`;
  }

  openClient(options: RedisOptions = {}, url = this.redisUrl): Redis {
    const client = new Redis(url, options);
    this.clients.push(client);
    return client;
  }

  /**
   * A cache without Nest. It is strict, and more patient than by default: a call that fails or is late must neither pass
   * for a miss, which is fast, nor end a fill.
   */
  async openCache(options: Partial<RedisCacheOptions> = {}): Promise<AssembledCache> {
    const resolved = resolveOptions(
      {
        namespace: this.ownName(),
        failure: 'strict',
        timeouts: { connect: '30s', read: '10s', write: '10s' },
        topology: { type: 'single', url: this.redisUrl },
        ...options,
      },
      'the benchmark',
    );
    const cache = assemble(resolved);
    this.caches.push(cache);
    await cache.connect();
    return cache;
  }

  /** For what the bench has not opened itself: a peer's connections. */
  onClose(close: () => unknown): void {
    this.closing.push(close);
  }

  /** For people who wait. */
  tell(progress: string): void {
    process.stderr.write(`  ${progress}\n`);
  }

  /** Removes the keys of this run: the Redis may be somebody's. */
  async removeKeys(prefix = this.run): Promise<void> {
    let cursor = '0';
    do {
      const [next, keys] = await this.redis.scan(
        cursor,
        'MATCH',
        `${prefix}*`,
        'COUNT',
        REMOVED_AT_ONCE,
      );
      cursor = next;
      if (keys.length > 0) await this.redis.unlink(keys);
    } while (cursor !== '0');
  }

  async close(): Promise<void> {
    try {
      await Promise.all(this.caches.map((cache) => cache.close()));
      await Promise.all(this.closing.map(async (close) => close()));
      await this.removeKeys();
    } finally {
      for (const client of this.clients) client.disconnect();
    }
  }
}
