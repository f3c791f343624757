import {
  SILENCE,
  type Announcement,
  type Announcer,
  type InvalidationReason,
} from '../common/invalidation.js';
import { scanKeys } from '../redis/key-scanner.js';
import { ReadBatcher } from '../redis/read-batcher.js';
import { runScript, type ScriptAnswer } from '../redis/script-runner.js';
import type { Script, ScriptValue } from '../redis/script.js';
import type { Shard, Topology } from '../redis/topology.js';
import type { CallGuard, CallKind } from '../resilience/call-guard.js';
import type {
  AcquireReply,
  AcquireRequest,
  EntryStore,
  FillRequest,
  StoredBody,
  WriteRequest,
} from './entry-store.js';
import { groupsOf } from './evict-groups.js';
import { acquire } from './lua/acquire.lua.js';
import { barrierBegin, barrierEnd, barrierRenew } from './lua/barrier.lua.js';
import { evict } from './lua/evict.lua.js';
import { fill } from './lua/fill.lua.js';
import { inspect } from './lua/inspect.lua.js';
import { release } from './lua/release.lua.js';
import { renew } from './lua/renew.lua.js';
import { write } from './lua/write.lua.js';
import { HOLD_ID } from './record.js';

export interface RedisEntryStoreOptions {
  /** Id of this process, as it registers for wakes: of one length everywhere, and without a comma. */
  instance: string;
  /** Channel of an instance's wakes, up to its id. The message is the Redis key. */
  wakePrefix: string;
  guard: CallGuard;
  /** Without one nobody is told of changes. */
  announcer?: Announcer;
}

const NOTHING_STORED: StoredBody = { newId: '', body: Buffer.alloc(0), softMs: 0, ttlMs: 0 };

/** Keys in one MGET. More are no faster, and would let the first wait for the last. */
const MAX_KEYS = 512;

/** The protocol as scripts, one atomic step each, on whatever servers the topology has. */
export class RedisEntryStore implements EntryStore {
  /** One per connection; in a cluster, per master. */
  private readonly batchers = new WeakMap<Shard, ReadBatcher>();

  constructor(
    private readonly topology: Topology,
    private readonly options: RedisEntryStoreOptions,
  ) {}

  read(key: string): Promise<Buffer | null> {
    return this.batcherFor(this.topology.shardOf(key)).read(key);
  }

  readMany(keys: readonly string[]): Promise<(Buffer | null)[]> {
    return Promise.all(keys.map((key) => this.read(key)));
  }

  async inspect(key: string): Promise<{ bytes: Buffer; ttlMs: number } | null> {
    const { reply, details } = await this.run('read', inspect, key, {});
    return reply === 'found' ? { bytes: details[0] as Buffer, ttlMs: ttlOf(details[1]) } : null;
  }

  scan(prefix: string, { signal }: { signal?: AbortSignal }): AsyncIterable<readonly string[]> {
    return scanKeys(this.topology, prefix, { signal, guard: this.options.guard });
  }

  async acquire(key: string, request: AcquireRequest): Promise<AcquireReply> {
    const { token, reject } = request;
    const leaseMs = wholeMs(request.leaseMs);
    const { instance } = this.options;
    const answer = await this.run('write', acquire, key, { token, leaseMs, instance, reject });
    switch (answer.reply) {
      case 'granted':
        return { state: 'granted' };
      case 'value':
        return { state: 'value', bytes: answer.details[0] as Buffer };
      case 'held':
      case 'barrier':
        return { state: answer.reply, ttlMs: ttlOf(answer.details[0]) };
    }
  }

  async fill(key: string, request: FillRequest): Promise<boolean> {
    const { expectId } = request;
    const { wakePrefix } = this.options;
    const values = { expectId, ...storedArgs(request), wakePrefix };
    // A load fills what was absent, of which there are no copies; a refresh replaces a value.
    const told = request.expectId === request.newId ? [] : [key];
    return (await this.change(fill, key, values, { reason: 'set', keys: told })).reply === 'stored';
  }

  async renew(key: string, request: { token: string; leaseMs: number }): Promise<boolean> {
    const values = { token: request.token, leaseMs: wholeMs(request.leaseMs) };
    return (await this.run('write', renew, key, values)).reply === 'renewed';
  }

  async release(key: string, request: { token: string; holdMs: number }): Promise<boolean> {
    const { wakePrefix } = this.options;
    const holdMs = wholeMs(request.holdMs);
    const values = { token: request.token, holdId: HOLD_ID, holdMs, wakePrefix };
    return (await this.run('write', release, key, values)).reply === 'released';
  }

  evict(key: string): Promise<boolean> {
    return this.evictAndTell(key, [key]);
  }

  async evictMany(keys: readonly string[]): Promise<PromiseSettledResult<boolean>[]> {
    const results = new Map<string, PromiseSettledResult<boolean>>();
    const groups = groupsOf(keys, this.topology);
    await Promise.all(
      groups.map(async (group) => {
        // The last one tells of all: on one connection it is carried out last. If it fails, nobody was told.
        const last = group.at(-1)!;
        const evicts = group.map((key) => this.evictAndTell(key, key === last ? group : []));
        const settled = await Promise.allSettled(evicts);
        const told = settled.at(-1)!;
        group.forEach((key, i) =>
          results.set(key, told.status === 'rejected' ? told : settled[i]!),
        );
      }),
    );
    return keys.map((key) => results.get(key)!);
  }

  async write(key: string, request: WriteRequest): Promise<boolean> {
    const { wakePrefix } = this.options;
    const values = {
      ...storedArgs(request),
      only: request.only ?? '',
      reject: request.reject ?? '',
      wakePrefix,
    };
    const invalidation = { reason: 'set', keys: [key] } as const;
    return (await this.change(write, key, values, invalidation)).reply === 'stored';
  }

  async barrierBegin(key: string, request: { writer: string; barrierMs: number }): Promise<void> {
    const { wakePrefix } = this.options;
    const barrierMs = wholeMs(request.barrierMs);
    const values = { writer: request.writer, barrierMs, wakePrefix };
    await this.change(barrierBegin, key, values, { reason: 'evict', keys: [key] });
  }

  async barrierRenew(
    key: string,
    request: { writer: string; barrierMs: number },
  ): Promise<boolean> {
    const values = { writer: request.writer, barrierMs: wholeMs(request.barrierMs) };
    return (await this.run('write', barrierRenew, key, values)).reply === 'renewed';
  }

  async barrierEnd(
    key: string,
    { writer, value }: { writer: string; value?: StoredBody },
  ): Promise<boolean> {
    const { wakePrefix } = this.options;
    const values = { writer, ...storedArgs(value ?? NOTHING_STORED), wakePrefix };
    const invalidation = { reason: 'evict', keys: [key] } as const;
    return (await this.change(barrierEnd, key, values, invalidation)).reply === 'stored';
  }

  private async evictAndTell(key: string, told: readonly string[]): Promise<boolean> {
    const { wakePrefix } = this.options;
    const invalidation = { reason: 'evict', keys: told } as const;
    return (await this.change(evict, key, { wakePrefix }, invalidation)).reply === 'evicted';
  }

  /** Runs a script that changes an entry, and has it tell other processes which copies are outdated. */
  private async change<Arg extends string, Reply extends string>(
    script: Script<Arg | keyof Announcement, Reply>,
    key: string,
    values: Record<Arg, ScriptValue>,
    invalidation: { reason: InvalidationReason; keys: readonly string[] },
  ): Promise<ScriptAnswer<Reply>> {
    const { announcer, guard } = this.options;
    const shard = this.topology.shardOf(key);
    let told = SILENCE;
    const call = (): Promise<ScriptAnswer<Reply>> => {
      // Not before it is sent: calls in line overtake each other, and some are never sent.
      if (announcer && invalidation.keys.length > 0) told = announcer.announce(shard, invalidation);
      const args = { ...values, ...told } as Record<Arg | keyof Announcement, ScriptValue>;
      return runScript(shard.client, script, key, args);
    };
    try {
      const answer = await guard.run('write', script.name, call, shard.name);
      await this.evictFormer(key);
      return answer;
    } catch (error) {
      if (told !== SILENCE) announcer?.disown(told);
      throw error;
    }
  }

  /** Processes that have the layout of before look for the key there, and must not find what is outdated. */
  private async evictFormer(key: string): Promise<void> {
    const values = { wakePrefix: this.options.wakePrefix, ...SILENCE };
    for (const { client, name } of this.topology.formerOwnersOf(key)) {
      const call = (): Promise<unknown> => runScript(client, evict, key, values);
      await this.options.guard.run('write', evict.name, call, name);
    }
  }

  private run<Arg extends string, Reply extends string>(
    kind: CallKind,
    script: Script<Arg, Reply>,
    key: string,
    values: Record<Arg, ScriptValue>,
  ): Promise<ScriptAnswer<Reply>> {
    const { client, name } = this.topology.shardOf(key);
    const call = (): Promise<ScriptAnswer<Reply>> => runScript(client, script, key, values);
    return this.options.guard.run(kind, script.name, call, name);
  }

  private batcherFor(shard: Shard): ReadBatcher {
    let batcher = this.batchers.get(shard);
    if (!batcher) {
      const { client, name } = shard;
      batcher = new ReadBatcher({
        client,
        maxKeys: MAX_KEYS,
        guard: (call) => this.options.guard.run('read', 'read', call, name),
      });
      this.batchers.set(shard, batcher);
    }
    return batcher;
  }
}

function storedArgs({ newId, body, softMs, ttlMs }: StoredBody) {
  return { newId, body, softMs: wholeMs(softMs), ttlMs: wholeMs(ttlMs) };
}

/** Redis takes whole milliseconds only; rounded up, for 0 means "for ever". */
const wholeMs = Math.ceil;

/** What PTTL answers, -1 for a key that does not expire. */
const ttlOf = (answer: unknown): number => (Number(answer) < 0 ? Infinity : Number(answer));
