import { readHead } from '../codec/envelope.js';
import type {
  IncrementReply,
  IncrementRequest,
  TakeReply,
  TakeRequest,
  TouchRequest,
} from './entry-store.js';
import type { ExpiringTable } from './expiring-table.js';
import {
  counterRecord,
  countOf,
  freshUntil,
  graceMsOf,
  isLike,
  isLive,
  softAtOf,
  tainted,
} from './record.js';

interface Surroundings {
  table: ExpiringTable;
  /** Wall time, in whole ms. */
  wallMs: () => number;
  /** Wakes the waiters of a lease that has ended. */
  wake: (key: string, lease: Buffer) => void;
}

/** The steps of the memory store that change a value that the caller has judged. */
export class MemoryChanges {
  constructor(private readonly surroundings: Surroundings) {}

  increment(key: string, request: IncrementRequest): IncrementReply {
    const { table, wallMs, wake } = this.surroundings;
    const bytes = table.get(key);
    const { type, id } = readHead(bytes);
    if (type === 'B') return { state: 'barrier' };
    const live = bytes && id !== request.reject && isLive(bytes, wallMs()) ? bytes : undefined;
    const before = live ? countedIn(live, id, request) : { count: 0, facts: request.fresh };
    if (!before) return { state: 'unlike' };
    const count = before.count + request.by;
    if (!Number.isSafeInteger(count)) return { state: 'overflow' };
    const record = counterRecord(request.newId, before.facts, count);
    const sum = live ? freshUntil(record, softAtOf(live)) : record;
    if (live && table.ttlOf(key) !== Infinity) table.replace(key, sum);
    else if (request.ttlMs > 0) {
      const ttlMs = Math.ceil(request.ttlMs);
      table.put(key, freshUntil(record, wallMs() + ttlMs), ttlMs + graceMsOf(before.facts));
    } else table.put(key, sum, 0);
    if (bytes && type === 'L') wake(key, bytes);
    return { state: 'counted', count };
  }

  touch(key: string, request: TouchRequest): 'touched' | 'absent' | 'unlike' {
    const { table, wallMs } = this.surroundings;
    const bytes = table.get(key);
    const softMs = Math.ceil(request.softMs);
    if (!bytes || !isLive(bytes, wallMs())) return 'absent';
    if (!isLike(bytes, request.facts)) return 'unlike';
    table.expire(key, softMs > 0 ? softMs + graceMsOf(request.facts) : Infinity);
    table.replace(key, freshUntil(bytes, softMs > 0 ? wallMs() + softMs : 0));
    return 'touched';
  }

  take(key: string, { facts, reject }: TakeRequest): TakeReply {
    const { table, wallMs, wake } = this.surroundings;
    const bytes = table.get(key);
    const { type, id } = readHead(bytes);
    if (bytes && type === 'B') table.replace(key, tainted(bytes));
    if (bytes && type === 'L') {
      table.delete(key);
      wake(key, bytes);
    }
    if (!bytes || id === reject) return { state: 'absent' };
    if (!isLive(bytes, wallMs())) {
      // A value in grace, which whoever refreshes it must not find again.
      if (type === 'V') table.delete(key);
      return { state: 'absent' };
    }
    if (!facts || !isLike(bytes, facts)) return { state: 'unlike' };
    table.delete(key);
    return { state: 'taken', bytes };
  }
}

/** What has been counted so far at this value, and the facts of the counter; undefined: it is not what the caller has seen. */
function countedIn(
  value: Buffer,
  id: string,
  { seen, fresh }: IncrementRequest,
): { count: number; facts: Buffer } | undefined {
  for (const facts of [seen?.facts, fresh])
    if (facts && isLike(value, facts)) {
      const count = countOf(value, facts);
      return count === undefined ? undefined : { count, facts };
    }
  return seen && seen.id === id ? seen : undefined;
}
