import { inTurns } from '../common/async.js';
import { scanKeys } from '../redis/key-scanner.js';
import { BatchedReads } from '../redis/batched-reads.js';
import type { ReadBatcher } from '../redis/read-batcher.js';
import type { ScriptAnswer } from '../redis/script-runner.js';
import type { Topology } from '../redis/topology.js';
import type {
  AcquireReply,
  AcquireRequest,
  BarrierEnd,
  EntryStore,
  FillRequest,
  IncrementReply,
  IncrementRequest,
  ScanOptions,
  StoredBody,
  TakeReply,
  TakeRequest,
  TouchRequest,
  WriteRequest,
} from './entry-store.js';
import { acquire } from './lua/acquire.lua.js';
import { barrierBegin, barrierEnd, barrierRenew } from './lua/barrier.lua.js';
import { evict } from './lua/evict.lua.js';
import { fill } from './lua/fill.lua.js';
import { increment } from './lua/increment.lua.js';
import { inspect } from './lua/inspect.lua.js';
import { release } from './lua/release.lua.js';
import { renew } from './lua/renew.lua.js';
import { take } from './lua/take.lua.js';
import { touch } from './lua/touch.lua.js';
import { write } from './lua/write.lua.js';
import { backoffOf, HOLD_ID, valueRecord } from './record.js';
import { isEvicted, ScriptCalls, type ScriptCallOptions } from './script-calls.js';

export interface RedisEntryStoreOptions extends Omit<ScriptCallOptions, 'reads'> {
  /** Shared with others who read beside entries, so that all travels together; default: reads of its own. */
  reads?: BatchedReads;
}

const NO_BYTES = Buffer.alloc(0);
const NOTHING_STORED = { record: NO_BYTES, softMs: 0, ttlMs: 0 };
const NOTHING_SEEN = { facts: NO_BYTES, id: '', count: 0 };

/** The protocol as scripts, one atomic step each, on whatever servers the topology has. */
export class RedisEntryStore implements EntryStore {
  readonly isRemote = true;
  private readonly calls: ScriptCalls;
  private readonly reads: BatchedReads;

  constructor(
    private readonly topology: Topology,
    private readonly options: RedisEntryStoreOptions,
  ) {
    this.reads = options.reads ?? new BatchedReads(options.guard);
    this.calls = new ScriptCalls(topology, { ...options, reads: this.reads });
  }

  read(key: string): Promise<Buffer | null> {
    return this.readsOf(key).read(key);
  }

  /** What is evicted before is evicted when it is read. */
  readsOf(key: string): ReadBatcher {
    this.calls.sendEvicts();
    return this.reads.of(this.topology.shardOf(key));
  }

  readMany(keys: readonly string[]): Promise<(Buffer | null)[]> {
    return Promise.all(keys.map((key) => this.readAnywhere(key)));
  }

  /** Also where only processes with the layout of before look. */
  private async readAnywhere(key: string): Promise<Buffer | null> {
    let bytes = await this.read(key);
    for (const shard of this.topology.formerOwnersOf(key))
      bytes ??= await this.reads.of(shard).read(key);
    return bytes;
  }

  inspect(key: string): Promise<{ bytes: Buffer; ttlMs: number } | null> {
    return this.calls.run('read', inspect, key, {
      values: {},
      as: ({ reply, details }) =>
        reply === 'found' ? { bytes: details[0] as Buffer, ttlMs: ttlOf(details[1]) } : null,
    });
  }

  scan(prefix: string, options: ScanOptions): AsyncIterable<readonly string[]> {
    return scanKeys(this.topology, prefix, { ...options, guard: this.options.guard });
  }

  acquire(key: string, request: AcquireRequest): Promise<AcquireReply> {
    const { token, reject } = request;
    const values = { token, leaseMs: wholeMs(request.leaseMs), reject };
    return this.calls.run('write', acquire, key, { values, as: acquireReply });
  }

  fill(key: string, request: FillRequest): Promise<boolean> {
    const values = { expectId: request.expectId, ...storedArgs(request) };
    // A load fills what was absent, of which there are no copies; a refresh replaces a value.
    const told = request.expectId === request.newId ? [] : [key];
    // What processes with the layout of before have loaded is as true as this.
    const change = { reason: 'set', keys: told, elsewhere: 'kept' } as const;
    return this.calls.change(fill, key, { values, as: isStored }, change);
  }

  renew(key: string, { token, leaseMs }: { token: string; leaseMs: number }): Promise<boolean> {
    const values = { token, leaseMs: wholeMs(leaseMs) };
    return this.calls.run('write', renew, key, { values, as: isRenewed });
  }

  release(key: string, request: { token: string; holdMs: number }): Promise<boolean> {
    const holdMs = wholeMs(request.holdMs);
    const values = { token: request.token, holdId: HOLD_ID, holdMs };
    return this.calls.run('write', release, key, { values, as: isReleased });
  }

  evict(key: string): Promise<boolean> {
    const change = { reason: 'evict', keys: [key] } as const;
    return this.calls.change(evict, key, { values: {}, as: isEvicted }, change);
  }

  evictMany(keys: readonly string[]): Promise<PromiseSettledResult<boolean>[]> {
    return inTurns(keys, (key) => this.evict(key));
  }

  write(key: string, request: WriteRequest): Promise<boolean> {
    const { only = '', reject = '' } = request;
    const values = { ...storedArgs(request), only, reject };
    return this.calls.change(write, key, { values, as: isStored }, { reason: 'set', keys: [key] });
  }

  increment(key: string, request: IncrementRequest): Promise<IncrementReply> {
    const { seen, ttlMs, ...own } = request;
    const { facts, id, count } = seen ?? NOTHING_SEEN;
    const values = { ...own, ttlMs: wholeMs(ttlMs), facts, id, count };
    const as = ({
      reply,
      details,
    }: ScriptAnswer<(typeof increment.replies)[number]>): IncrementReply =>
      reply === 'counted' ? { state: reply, count: Number(details[0]) } : { state: reply };
    return this.calls.change(increment, key, { values, as }, { reason: 'set', keys: [key] });
  }

  touch(key: string, { facts, softMs }: TouchRequest): Promise<'touched' | 'absent' | 'unlike'> {
    const values = { facts, softMs: wholeMs(softMs) };
    return this.calls.change(touch, key, { values, as: replyOf }, { reason: 'set', keys: [key] });
  }

  take(key: string, { facts = NO_BYTES, reject }: TakeRequest): Promise<TakeReply> {
    const as = ({ reply, details }: ScriptAnswer<(typeof take.replies)[number]>): TakeReply =>
      reply === 'taken' ? { state: reply, bytes: details[0] as Buffer } : { state: reply };
    const values = { facts, reject };
    return this.calls.change(take, key, { values, as }, { reason: 'evict', keys: [key] });
  }

  async barrierBegin(key: string, request: { writer: string; barrierMs: number }): Promise<void> {
    const values = { writer: request.writer, barrierMs: wholeMs(request.barrierMs) };
    const change = { reason: 'evict', keys: [key] } as const;
    await this.calls.change(barrierBegin, key, { values, as: replyOf }, change);
  }

  barrierRenew(key: string, request: { writer: string; barrierMs: number }): Promise<boolean> {
    const values = { writer: request.writer, barrierMs: wholeMs(request.barrierMs) };
    return this.calls.run('write', barrierRenew, key, { values, as: isRenewed });
  }

  barrierEnd(
    key: string,
    { writer, value }: { writer: string; value?: StoredBody },
  ): Promise<BarrierEnd> {
    const values = { writer, ...(value ? storedArgs(value) : NOTHING_STORED) };
    const change = { reason: 'evict', keys: [key] } as const;
    return this.calls.change(barrierEnd, key, { values, as: replyOf }, change);
  }
}

const replyOf = <Reply extends string>({ reply }: ScriptAnswer<Reply>): Reply => reply;
const isStored = ({ reply }: { reply: string }): boolean => reply === 'stored';
const isRenewed = ({ reply }: { reply: string }): boolean => reply === 'renewed';
const isReleased = ({ reply }: { reply: string }): boolean => reply === 'released';

function storedArgs({ newId, body, softMs, ttlMs }: StoredBody) {
  return { record: valueRecord(newId, body, 0), softMs: wholeMs(softMs), ttlMs: wholeMs(ttlMs) };
}

/** Redis takes whole milliseconds only; rounded up, for 0 means "for ever". */
const wholeMs = Math.ceil;

/** What PTTL answers, -1 for a key that does not expire. */
const ttlOf = (answer: unknown): number => (Number(answer) < 0 ? Infinity : Number(answer));

function acquireReply({
  reply,
  details,
}: ScriptAnswer<(typeof acquire.replies)[number]>): AcquireReply {
  switch (reply) {
    case 'granted':
      return { state: 'granted' };
    case 'value':
      return { state: 'value', bytes: details[0] as Buffer };
    case 'held':
      return { state: 'held', ttlMs: ttlOf(details[0]), ...backoffOf(String(details[1])) };
    case 'barrier':
      return { state: 'barrier', ttlMs: ttlOf(details[0]) };
  }
}
