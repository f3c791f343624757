/**
 * One lock is one key: who holds it until when, who waits for it in which order, and the last fencing token.
 *
 * ACQUIRE grants a lock that is free, or puts the asker at the end of the queue. RELEASE wakes the first of the queue by
 * a message, and for `claimMs` after a lock has become free, by release or by expiry, it is for the first alone: so they
 * get it in the order of arrival. After that it is for whoever asks, and the processes that did not come for it are
 * struck from the queue: a dead one costs the others `claimMs`, once, and one that lives queues up again with its next
 * question.
 *
 * A hold ends by the server's clock, which the record itself names. The key outlives it by a day, and with it the token:
 * max(last + 1, time in µs), so that it grows from hold to hold, and also over a record that was lost.
 *
 * An id is that of one acquisition, 20 letters and digits that begin with the instance (`common/ids.ts`). Every operation
 * is one atomic step on one key, and sending it twice does no harm: a hold is never shortened, an ACQUIRE finds that it
 * has been granted. One that is carried out after its asker has gone leaves a hold that nobody knows of, until it expires.
 *
 * An implementation rejects with `CacheConnectionError` or `CacheTimeoutError` and nothing else; after either the step
 * may or may not have happened. Keys are complete Redis keys.
 */
export interface LockStore {
  acquire(key: string, request: AcquireLockRequest): Promise<AcquireLockReply>;
  /** Held for at least `ttlMs` from now, with a token of at least `token`; false: it is not this id's any more. */
  extend(key: string, request: { id: string; ttlMs: number; token: bigint }): Promise<boolean>;
  /** Gives the hold back, or leaves the queue; without an id: takes it from whoever holds it. True: it was held. */
  release(key: string, request: { id?: string }): Promise<boolean>;
  isHeld(key: string): Promise<boolean>;
}

export interface AcquireLockRequest {
  id: string;
  ttlMs: number;
  /** What becomes of the asker if it is not granted the lock. */
  ifHeld: 'queue' | 'leave';
}

export type AcquireLockReply =
  | { state: 'granted'; token: bigint }
  /** It is held, or kept for the first of the queue, for so long if nothing happens before. */
  | { state: 'held'; ttlMs: number };

/** Longer than a woken process takes to come, unless it is stuck. */
export const CLAIM_MS = 300;

/** Who comes when so many wait does so without a place in the queue, by timer. */
export const MAX_WAITERS = 1_000;

/** How long the token is kept beyond the hold. */
export const KEEP_MS = 86_400_000;

/** What wakes one waiter; the channel is that of its instance. A key has no blank. */
export const wakeOf = (key: string, id: string): string => `${key} ${id}`;
