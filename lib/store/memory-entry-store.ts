import { readHead } from '../codec/envelope.js';
import type { Clock } from '../common/clock.js';
import type {
  AcquireReply,
  AcquireRequest,
  BarrierEnd,
  EntryStore,
  FillRequest,
  IncrementReply,
  IncrementRequest,
  Reads,
  ScanOptions,
  StoredBody,
  TakeReply,
  TakeRequest,
  TouchRequest,
  WriteRequest,
} from './entry-store.js';
import { ExpiringTable } from './expiring-table.js';
import { MemoryChanges } from './memory-changes.js';
import {
  backoffOf,
  barrierOf,
  barrierRecord,
  HOLD_ID,
  isLive,
  leaseRecord,
  tainted,
  valueRecord,
  waitersOf,
} from './record.js';

export interface MemoryEntryStoreOptions {
  clock: Clock;
  /** Id of this process, as it registers for wakes. */
  instance: string;
  /** Called when a lease that `instance` waits for has ended, within the step that ended it. Must not throw. */
  onWake: (instance: string, key: string) => void;
}

/**
 * The protocol in one process: the same steps, replies and bytes as the scripts of {@link RedisEntryStore}. `softAt` is
 * wall time, because it is compared with the wall clock elsewhere.
 */
export class MemoryEntryStore implements EntryStore {
  readonly isRemote = false;
  private readonly table: ExpiringTable;
  private readonly changes: MemoryChanges;
  private readonly reads: Reads = { readAll: (keys) => this.readMany(keys), flush() {} };
  private readonly wallMs = (): number => Math.floor(this.options.clock.now());

  constructor(private readonly options: MemoryEntryStoreOptions) {
    const table = (this.table = new ExpiringTable(options.clock));
    const { wallMs } = this;
    this.changes = new MemoryChanges({
      table,
      wallMs,
      wake: (key, lease) => this.wake(key, lease),
    });
  }

  async read(key: string): Promise<Buffer | null> {
    return this.copyOf(key);
  }

  readsOf(): Reads {
    return this.reads;
  }

  async readMany(keys: readonly string[]): Promise<(Buffer | null)[]> {
    return keys.map((key) => this.copyOf(key));
  }

  async inspect(key: string): Promise<{ bytes: Buffer; ttlMs: number } | null> {
    const bytes = this.copyOf(key);
    return bytes && { bytes, ttlMs: this.table.ttlOf(key) };
  }

  scan(prefix: string, { signal }: ScanOptions): AsyncIterable<readonly string[]> {
    return this.table.scan(prefix, signal);
  }

  async acquire(key: string, request: AcquireRequest): Promise<AcquireReply> {
    const bytes = this.table.get(key);
    const { type, id } = readHead(bytes);
    if (bytes && type === 'V' && id !== request.reject)
      return { state: 'value', bytes: Buffer.from(bytes) };
    if (type === 'B') return { state: 'barrier', ttlMs: this.table.ttlOf(key) };
    if (bytes && type === 'L' && id !== request.token) {
      this.register(key, bytes);
      return { state: 'held', ttlMs: this.table.ttlOf(key), ...backoffOf(id) };
    }
    if (type !== 'L') this.table.put(key, leaseRecord(request.token), request.leaseMs);
    return { state: 'granted' };
  }

  async fill(key: string, request: FillRequest): Promise<boolean> {
    const { type, id } = readHead(this.table.get(key));
    if (type === 'V' && id === request.newId) return true;
    if (id !== request.expectId || (type !== 'L' && type !== 'V')) return false;
    this.store(key, request);
    return true;
  }

  async renew(key: string, request: { token: string; leaseMs: number }): Promise<boolean> {
    if (!this.leaseOf(key, request.token)) return false;
    this.table.expire(key, request.leaseMs);
    return true;
  }

  async release(key: string, request: { token: string; holdMs: number }): Promise<boolean> {
    const lease = this.leaseOf(key, request.token);
    if (!lease) return false;
    if (request.holdMs > 0) this.table.put(key, leaseRecord(HOLD_ID), request.holdMs);
    else this.table.delete(key);
    this.wake(key, lease);
    return true;
  }

  async evict(key: string): Promise<boolean> {
    const bytes = this.table.get(key);
    const { type } = readHead(bytes);
    if (bytes && type === 'B') {
      this.table.replace(key, tainted(bytes));
      return false;
    }
    this.table.delete(key);
    if (bytes && type === 'L') this.wake(key, bytes);
    return type === 'V';
  }

  evictMany(keys: readonly string[]): Promise<PromiseSettledResult<boolean>[]> {
    return Promise.allSettled(keys.map((key) => this.evict(key)));
  }

  async write(key: string, request: WriteRequest): Promise<boolean> {
    const bytes = this.table.get(key);
    const { type, id } = readHead(bytes);
    if (bytes && type === 'B') {
      this.table.replace(key, tainted(bytes));
      return false;
    }
    if (type === 'V' && id === request.newId) return true;
    const live = bytes !== undefined && id !== request.reject && isLive(bytes, this.wallMs());
    if (request.only && live !== (request.only === 'present')) return false;
    this.store(key, request);
    return true;
  }

  async increment(key: string, request: IncrementRequest): Promise<IncrementReply> {
    return this.changes.increment(key, request);
  }

  async touch(key: string, request: TouchRequest): Promise<'touched' | 'absent' | 'unlike'> {
    return this.changes.touch(key, request);
  }

  async take(key: string, request: TakeRequest): Promise<TakeReply> {
    return this.changes.take(key, request);
  }

  async barrierBegin(
    key: string,
    { writer, barrierMs }: { writer: string; barrierMs: number },
  ): Promise<void> {
    const bytes = this.table.get(key);
    const { type } = readHead(bytes);
    if (bytes && type === 'B') {
      const { writers } = barrierOf(bytes);
      if (!writers.includes(writer))
        this.table.replace(key, barrierRecord({ tainted: true, writers: [...writers, writer] }));
      this.table.prolong(key, barrierMs);
      return;
    }
    this.table.put(key, barrierRecord({ tainted: false, writers: [writer] }), barrierMs);
    if (bytes && type === 'L') this.wake(key, bytes);
  }

  async barrierRenew(
    key: string,
    { writer, barrierMs }: { writer: string; barrierMs: number },
  ): Promise<boolean> {
    const bytes = this.table.get(key);
    if (!bytes || readHead(bytes).type !== 'B' || !barrierOf(bytes).writers.includes(writer))
      return false;
    this.table.prolong(key, barrierMs);
    return true;
  }

  async barrierEnd(
    key: string,
    { writer, value }: { writer: string; value?: StoredBody },
  ): Promise<BarrierEnd> {
    const bytes = this.table.get(key);
    const { type, id } = readHead(bytes);
    if (type === 'V' && value && id === value.newId) return 'stored';
    if (!bytes || type !== 'B') {
      this.table.delete(key);
      if (bytes && type === 'L') this.wake(key, bytes);
      return 'lost';
    }
    const barrier = barrierOf(bytes);
    if (!barrier.writers.includes(writer)) {
      this.table.replace(key, tainted(bytes));
      return 'lost';
    }
    const writers = barrier.writers.filter((other) => other !== writer);
    if (writers.length > 0) this.table.replace(key, barrierRecord({ ...barrier, writers }));
    else if (!value || barrier.tainted) this.table.delete(key);
    else {
      this.store(key, value);
      return 'stored';
    }
    return 'ended';
  }

  /** Forgets everything. */
  close(): void {
    this.table.close();
  }

  /** A copy, as Redis would send one: a caller that changes what it got must not change what is stored. */
  private copyOf(key: string): Buffer | null {
    const bytes = this.table.get(key);
    return bytes ? Buffer.from(bytes) : null;
  }

  private leaseOf(key: string, token: string): Buffer | undefined {
    const bytes = this.table.get(key);
    const { type, id } = readHead(bytes);
    return type === 'L' && id === token ? bytes : undefined;
  }

  private store(key: string, { newId, body, softMs, ttlMs }: StoredBody): void {
    const before = this.table.get(key);
    const softAt = softMs > 0 ? this.wallMs() + softMs : 0;
    this.table.put(key, valueRecord(newId, body, softAt), ttlMs);
    if (before && readHead(before).type === 'L') this.wake(key, before);
  }

  private register(key: string, lease: Buffer): void {
    const { instance } = this.options;
    if (waitersOf(lease).includes(instance)) return;
    this.table.replace(key, Buffer.concat([lease, Buffer.from(`,${instance}`, 'latin1')]));
  }

  private wake(key: string, lease: Buffer): void {
    for (const instance of waitersOf(lease)) this.options.onWake(instance, key);
  }
}
