import type { Clock } from '../common/clock.js';
import {
  CLAIM_MS,
  MAX_WAITERS,
  type AcquireLockReply,
  type AcquireLockRequest,
  type LockStore,
} from './lock-store.js';

export interface MemoryLockStoreOptions {
  clock: Clock;
  /** Called when a waiter is to be woken, within the step that does so. Must not throw. */
  onWake: (id: string, key: string) => void;
  /** How long a lock that has become free is kept for the first of its queue; default 300. */
  claimMs?: number;
}

interface LockRecord {
  /** '' where nobody holds it. */
  holder: string;
  token: bigint;
  /** When the hold ends, or has ended, on the monotonic clock. */
  ends: number;
  /** In the order of arrival. */
  waiting: string[];
}

const FIRST_SWEEP = 1_000;

/**
 * Locks in one process: the same steps and replies as the scripts of `RedisLockStore`. A lock that is free and not waited
 * for has no record here, since one last token serves all locks; one whose hold has expired goes by a sweep whenever
 * the number of records has doubled.
 */
export class MemoryLockStore implements LockStore {
  private readonly records = new Map<string, LockRecord>();
  private sweepBeyond = FIRST_SWEEP;
  private lastToken = 0n;

  constructor(private readonly options: MemoryLockStoreOptions) {}

  async acquire(key: string, request: AcquireLockRequest): Promise<AcquireLockReply> {
    const { id, ttlMs } = request;
    const { clock, claimMs = CLAIM_MS } = this.options;
    const now = clock.monotonic();
    const record = this.recordOf(key);
    const isHeld = record.holder !== '' && record.ends > now;
    if (isHeld && record.holder === id) {
      record.ends = Math.max(record.ends, now + ttlMs);
      return { state: 'granted', token: record.token };
    }
    const next = record.waiting[0] ?? id;
    const freeAt = isHeld ? record.ends : record.ends + claimMs;
    if (isHeld || (next !== id && freeAt > now)) {
      if (request.ifHeld === 'queue') join(record, id);
      return { state: 'held', ttlMs: Math.ceil(freeAt - now) };
    }
    const passed = instanceOf(next);
    const goes = (other: string): boolean =>
      other === id || (instanceOf(other) === passed && passed !== instanceOf(id));
    record.waiting = record.waiting.filter((other) => !goes(other));
    record.holder = id;
    record.token = this.nextToken();
    record.ends = now + ttlMs;
    return { state: 'granted', token: record.token };
  }

  async extend(
    key: string,
    { id, ttlMs, token }: { id: string; ttlMs: number; token: bigint },
  ): Promise<boolean> {
    const record = this.heldRecord(key);
    if (record?.holder !== id) return false;
    record.ends = Math.max(record.ends, this.options.clock.monotonic() + ttlMs);
    if (token > record.token) record.token = token;
    if (token > this.lastToken) this.lastToken = token;
    return true;
  }

  async release(key: string, { id }: { id?: string }): Promise<boolean> {
    const record = this.records.get(key);
    if (!record) return false;
    const held = this.heldRecord(key);
    const ours = held !== undefined && (id === undefined || held.holder === id);
    const place = id === undefined ? -1 : record.waiting.indexOf(id);
    if (!ours && place < 0) return false;
    if (ours) {
      record.holder = '';
      record.ends = this.options.clock.monotonic();
    } else record.waiting.splice(place, 1);
    const [next] = record.waiting;
    if (next === undefined && !this.heldRecord(key)) this.records.delete(key);
    if (next !== undefined && !this.heldRecord(key)) this.options.onWake(next, key);
    return ours;
  }

  async isHeld(key: string): Promise<boolean> {
    return this.heldRecord(key) !== undefined;
  }

  private heldRecord(key: string): LockRecord | undefined {
    const record = this.records.get(key);
    const isHeld = record && record.holder !== '' && record.ends > this.options.clock.monotonic();
    return isHeld ? record : undefined;
  }

  private recordOf(key: string): LockRecord {
    let record = this.records.get(key);
    if (!record) {
      record = { holder: '', token: 0n, ends: -Infinity, waiting: [] };
      this.records.set(key, record);
      if (this.records.size > this.sweepBeyond) this.sweep(key);
    }
    return record;
  }

  private sweep(except: string): void {
    for (const [key, { waiting }] of this.records)
      if (key !== except && waiting.length === 0 && !this.heldRecord(key)) this.records.delete(key);
    this.sweepBeyond = Math.max(FIRST_SWEEP, 2 * this.records.size);
  }

  private nextToken(): bigint {
    const now = BigInt(Math.floor(this.options.clock.now() * 1_000));
    this.lastToken = now > this.lastToken ? now : this.lastToken + 1n;
    return this.lastToken;
  }
}

function join({ waiting }: LockRecord, id: string): void {
  if (waiting.length < MAX_WAITERS && !waiting.includes(id)) waiting.push(id);
}

function instanceOf(id: string): string {
  return id.slice(0, 10);
}
