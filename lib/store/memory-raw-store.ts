import type { Clock } from '../common/clock.js';
import { ExpiringTable } from './expiring-table.js';
import type { RawSetRequest, RawStore, RawSum } from './raw-store.js';

/** As Redis writes one, and takes one. */
const INTEGER = /^(0|-?[1-9]\d*)$/;
const MOST_DIGITS = 20;

/** The same in one process; at most 100 000 strings, the oldest go first. */
export class MemoryRawStore implements RawStore {
  private readonly table: ExpiringTable;

  constructor({ clock }: { clock: Clock }) {
    this.table = new ExpiringTable(clock);
  }

  async get(key: string): Promise<Buffer | null> {
    const bytes = this.table.get(key);
    return bytes ? Buffer.from(bytes) : null;
  }

  async set(key: string, value: Buffer, { ttlMs, only }: RawSetRequest): Promise<boolean> {
    const isThere = this.table.get(key) !== undefined;
    if (only && isThere !== (only === 'present')) return false;
    this.table.put(key, Buffer.from(value), Math.ceil(ttlMs));
    return true;
  }

  async evict(key: string): Promise<boolean> {
    const isThere = this.table.get(key) !== undefined;
    this.table.delete(key);
    return isThere;
  }

  async ttl(key: string): Promise<number | undefined> {
    return this.table.get(key) && this.table.ttlOf(key);
  }

  async increment(key: string, { by, ttlMs }: { by: number; ttlMs: number }): Promise<RawSum> {
    const text = this.table.get(key)?.toString('latin1');
    if (text !== undefined && (!INTEGER.test(text) || text.length > MOST_DIGITS))
      return { state: 'other' };
    const was = Number(text ?? 0);
    const count = was + by;
    if (!Number.isSafeInteger(was) || !Number.isSafeInteger(count)) return { state: 'overflow' };
    const bytes = Buffer.from(String(count));
    const keepsLife = text !== undefined && (this.table.ttlOf(key) !== Infinity || ttlMs === 0);
    if (keepsLife) this.table.replace(key, bytes);
    else this.table.put(key, bytes, Math.ceil(ttlMs));
    return { state: 'counted', count };
  }

  /** Forgets everything. */
  close(): void {
    this.table.close();
  }
}
