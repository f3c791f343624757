import type { Clock, TimerHandle } from '../common/clock.js';
import type {
  AcquireReply,
  AcquireRequest,
  EntryStore,
  FillRequest,
  StoredBody,
  WriteRequest,
} from './entry-store.js';
import { headOf, HOLD_ID, isLive, leaseRecord, tainted, valueRecord, waitersOf } from './record.js';

interface Stored {
  /** Never written to after it is here: a change puts another buffer in its place. */
  bytes: Buffer;
  /** On the monotonic clock; Infinity: does not expire. */
  expiresAt: number;
}

const SWEEP_EVERY_MS = 1_000;
/** About a millisecond of work. */
const SWEEP_KEYS = 10_000;

export interface MemoryEntryStoreOptions {
  clock: Clock;
  /** Id of this process, as it registers for wakes. */
  instance: string;
  /** Called when a lease that `instance` waits for has ended, within the step that ended it. Must not throw. */
  onWake: (instance: string, key: string) => void;
}

/**
 * The protocol on a Map: the same steps, replies and bytes as the scripts of {@link RedisEntryStore}, in one process.
 *
 * Keys expire by the monotonic clock, so that setting the machine's clock neither drops nor prolongs them; `softAt` is
 * wall time, because it is compared with the wall clock elsewhere. A dead entry goes when it is touched, or by the
 * sweep, which looks at 10 000 keys a second: the dead stay for at most size / 10 000 seconds. The living are not
 * bounded here.
 */
export class MemoryEntryStore implements EntryStore {
  private readonly entries = new Map<string, Stored>();
  private sweepTimer: TimerHandle | undefined;
  private sweepAt: Iterator<[string, Stored]> | undefined;

  constructor(private readonly options: MemoryEntryStoreOptions) {}

  async read(key: string): Promise<Buffer | null> {
    return this.copyOf(key);
  }

  async readMany(keys: readonly string[]): Promise<(Buffer | null)[]> {
    return keys.map((key) => this.copyOf(key));
  }

  async inspect(key: string): Promise<{ bytes: Buffer; ttlMs: number } | null> {
    const bytes = this.copyOf(key);
    return bytes && { bytes, ttlMs: this.ttlOf(key) };
  }

  async acquire(key: string, request: AcquireRequest): Promise<AcquireReply> {
    const bytes = this.bytesOf(key);
    const { type, id } = headOf(bytes);
    if (bytes && type === 'V' && id !== request.reject)
      return { state: 'value', bytes: Buffer.from(bytes) };
    if (type === 'B') return { state: 'barrier', ttlMs: this.ttlOf(key) };
    if (bytes && type === 'L' && id !== request.token) {
      this.register(key, bytes);
      return { state: 'held', ttlMs: this.ttlOf(key) };
    }
    if (type !== 'L') this.put(key, leaseRecord(request.token), request.leaseMs);
    return { state: 'granted' };
  }

  async fill(key: string, request: FillRequest): Promise<boolean> {
    const { type, id } = headOf(this.bytesOf(key));
    if (type === 'V' && id === request.newId) return true;
    if (id !== request.expectId || (type !== 'L' && type !== 'V')) return false;
    this.store(key, request);
    return true;
  }

  async renew(key: string, request: { token: string; leaseMs: number }): Promise<boolean> {
    const stored = this.leaseOf(key, request.token);
    if (stored) stored.expiresAt = this.options.clock.monotonic() + request.leaseMs;
    return stored !== undefined;
  }

  async release(key: string, request: { token: string; holdMs: number }): Promise<boolean> {
    const stored = this.leaseOf(key, request.token);
    if (!stored) return false;
    if (request.holdMs > 0) this.put(key, leaseRecord(HOLD_ID), request.holdMs);
    else this.entries.delete(key);
    this.wake(key, stored.bytes);
    return true;
  }

  async evict(key: string): Promise<boolean> {
    const bytes = this.bytesOf(key);
    const { type } = headOf(bytes);
    if (bytes && type === 'B') {
      this.entries.get(key)!.bytes = tainted(bytes);
      return false;
    }
    this.entries.delete(key);
    if (bytes && type === 'L') this.wake(key, bytes);
    return type === 'V';
  }

  async write(key: string, request: WriteRequest): Promise<boolean> {
    const bytes = this.bytesOf(key);
    const { type, id } = headOf(bytes);
    if (bytes && type === 'B') {
      this.entries.get(key)!.bytes = tainted(bytes);
      return false;
    }
    if (type === 'V' && id === request.newId) return true;
    const live = bytes !== undefined && isLive(bytes, this.wallMs());
    if (request.only && live !== (request.only === 'present')) return false;
    this.store(key, request);
    return true;
  }

  /** Forgets everything and stops the sweep. */
  close(): void {
    this.entries.clear();
    if (this.sweepTimer !== undefined) this.options.clock.clearTimer(this.sweepTimer);
    this.sweepTimer = undefined;
  }

  private bytesOf(key: string): Buffer | undefined {
    const stored = this.entries.get(key);
    if (!stored) return undefined;
    if (stored.expiresAt > this.options.clock.monotonic()) return stored.bytes;
    this.entries.delete(key);
    return undefined;
  }

  /** A copy, as Redis would send one: a caller that changes what it got must not change what is stored. */
  private copyOf(key: string): Buffer | null {
    const bytes = this.bytesOf(key);
    return bytes ? Buffer.from(bytes) : null;
  }

  private ttlOf(key: string): number {
    return Math.ceil(this.entries.get(key)!.expiresAt - this.options.clock.monotonic());
  }

  private leaseOf(key: string, token: string): Stored | undefined {
    const { type, id } = headOf(this.bytesOf(key));
    return type === 'L' && id === token ? this.entries.get(key) : undefined;
  }

  private wallMs(): number {
    return Math.floor(this.options.clock.now());
  }

  /** `ttlMs` 0: for ever. */
  private put(key: string, bytes: Buffer, ttlMs: number): void {
    const expiresAt = ttlMs > 0 ? this.options.clock.monotonic() + ttlMs : Infinity;
    this.entries.set(key, { bytes, expiresAt });
    this.scheduleSweep();
  }

  private store(key: string, { newId, body, softMs, ttlMs }: StoredBody): void {
    const before = this.bytesOf(key);
    const softAt = softMs > 0 ? this.wallMs() + softMs : 0;
    this.put(key, valueRecord(newId, body, softAt), ttlMs);
    if (before && headOf(before).type === 'L') this.wake(key, before);
  }

  private register(key: string, lease: Buffer): void {
    const { instance } = this.options;
    if (waitersOf(lease).includes(instance)) return;
    this.entries.get(key)!.bytes = Buffer.concat([lease, Buffer.from(`,${instance}`, 'latin1')]);
  }

  private wake(key: string, lease: Buffer): void {
    for (const instance of waitersOf(lease)) this.options.onWake(instance, key);
  }

  private scheduleSweep(): void {
    this.sweepTimer ??= this.options.clock.setTimer(SWEEP_EVERY_MS, () => {
      this.sweepTimer = undefined;
      this.sweep();
      if (this.entries.size > 0) this.scheduleSweep();
    });
  }

  /** Goes on where the last one stopped: a Map's iterator follows its changes. */
  private sweep(): void {
    const now = this.options.clock.monotonic();
    this.sweepAt ??= this.entries.entries();
    for (let i = 0; i < SWEEP_KEYS; i++) {
      const next = this.sweepAt.next();
      if (next.done) {
        this.sweepAt = undefined;
        return;
      }
      const [key, stored] = next.value;
      if (stored.expiresAt <= now) this.entries.delete(key);
    }
  }
}
