import { channel, tracingChannel, type Channel } from 'node:diagnostics_channel';

/** What every message says: whose it is, and never a value. */
export interface CacheMessage {
  /** The name of the registered cache, `'default'` for the unnamed one. */
  readonly cache: string;
  /** The module's namespace and the names of those nested in it: `'cache/users'`. */
  readonly namespace: string;
  /** The method that was called; `'http'` for a handler's response. */
  readonly operation: string;
}

interface OfOneKey extends CacheMessage {
  /** As it was given. */
  readonly key: unknown;
}

/** `nestjs-redis-cache:hit` */
export interface HitMessage extends OfOneKey {
  readonly source: HitSource;
  /** From the call to the answer; 0 where there was nothing to wait for. */
  readonly ms: number;
}

/** Where a hit came from: this call's memo, the copies of this process, Redis (or the store of the memory topology). */
export type HitSource = 'memo' | 'l1' | 'redis';

/** `nestjs-redis-cache:miss` */
export interface MissMessage extends OfOneKey {
  readonly ms: number;
}

/** `nestjs-redis-cache:wait` */
export interface WaitMessage extends OfOneKey {
  /** Whose load was waited for: that of another call in this process, or of another process. */
  readonly source: 'process' | 'cluster';
  readonly ms: number;
}

/** `nestjs-redis-cache:load` after it has ended; `tracing:nestjs-redis-cache:load:…` along with it. */
export interface LoadMessage extends OfOneKey {
  readonly ms: number;
  /** What the loader threw; absent: it has not. */
  readonly error?: unknown;
}

/** `nestjs-redis-cache:set` */
export interface SetMessage extends OfOneKey {
  /** False: refused. */
  readonly stored: boolean;
}

/** `nestjs-redis-cache:evict`; with neither `keys` nor `tags`, all of the namespace. */
export interface EvictMessage extends CacheMessage {
  readonly keys?: readonly unknown[];
  readonly tags?: readonly string[];
}

/** `nestjs-redis-cache:error`, for everything that `onError` hears. */
export interface ErrorMessage {
  readonly cache: string;
  readonly operation: string;
  readonly error: Error;
}

/** Messages by the last part of their channel's name. */
export interface CacheMessages {
  hit: HitMessage;
  miss: MissMessage;
  wait: WaitMessage;
  load: LoadMessage;
  set: SetMessage;
  evict: EvictMessage;
  error: ErrorMessage;
}

const named = (name: keyof CacheMessages): Channel => channel(`nestjs-redis-cache:${name}`);

/** The channels of all caches in this process. Whoever publishes looks at `hasSubscribers` before making a message. */
export const channels: Readonly<Record<keyof CacheMessages, Channel>> = {
  hit: named('hit'),
  miss: named('miss'),
  wait: named('wait'),
  load: named('load'),
  set: named('set'),
  evict: named('evict'),
  error: named('error'),
};

/** For spans: `start`, `end`, `asyncStart`, `asyncEnd` and `error` of each loader's run. */
export const loadTracing = tracingChannel<unknown, object>('nestjs-redis-cache:load');
