import {
  SILENCE,
  type Announcement,
  type Announcer,
  type InvalidationReason,
} from '../common/invalidation.js';
import { BatchedCalls } from '../redis/batched-calls.js';
import { runScript, type ScriptAnswer } from '../redis/script-runner.js';
import type { Script, ScriptValue } from '../redis/script.js';
import type { Shard, Topology } from '../redis/topology.js';
import type { CallGuard, CallKind } from '../resilience/call-guard.js';
import { evict } from './lua/evict.lua.js';

export interface ScriptCallOptions {
  /** Channel of an instance's wakes, up to its id. The message is the Redis key. */
  wakePrefix: string;
  guard: CallGuard;
  /** Without one nobody is told of changes. */
  announcer?: Announcer;
}

/** What a change makes outdated, for processes of this layout and, unless it is `kept`, of the one before. */
export interface Outdated {
  reason: InvalidationReason;
  keys: readonly string[];
  elsewhere?: 'kept';
}

/** What a bulk of keys does all at once. Evicts and barriers are sent at once, whatever else is under way. */
const BATCHED: ReadonlySet<string> = new Set([
  'acquire',
  'fill',
  'renew',
  'release',
  'touch',
  'write',
]);

/** Of these, what ends something goes before what begins something. */
const ENDING: ReadonlySet<string> = new Set(['fill', 'renew', 'release']);

/** Sends the scripts of entries to their servers. */
export class ScriptCalls {
  private readonly batched: BatchedCalls;

  constructor(
    private readonly topology: Topology,
    private readonly options: ScriptCallOptions,
  ) {
    this.batched = new BatchedCalls(options.guard, ENDING);
  }

  run<Arg extends string, Reply extends string>(
    kind: CallKind,
    script: Script<Arg, Reply>,
    key: string,
    values: Record<Arg, ScriptValue>,
  ): Promise<ScriptAnswer<Reply>> {
    const shard = this.topology.shardOf(key);
    const call = (): Promise<ScriptAnswer<Reply>> => runScript(shard.client, script, key, values);
    return this.guarded(kind, script.name, shard, call);
  }

  /** Runs a script that changes an entry, and has it tell other processes which copies are outdated. */
  async change<Arg extends string, Reply extends string>(
    script: Script<Arg | keyof Announcement, Reply>,
    key: string,
    values: Record<Arg, ScriptValue>,
    outdated: Outdated,
  ): Promise<ScriptAnswer<Reply>> {
    const answer = await this.tell(
      this.topology.shardOf(key),
      outdated,
      script.name,
      (shard, told) =>
        runScript(shard.client, script, key, { ...values, ...told } as Record<
          Arg | keyof Announcement,
          ScriptValue
        >),
    );
    if (outdated.elsewhere !== 'kept') await this.evictFormer(key);
    return answer;
  }

  /** Processes that have the layout of before look for the key there, and must not find what is outdated; nor in copies. */
  private async evictFormer(key: string): Promise<void> {
    const { wakePrefix } = this.options;
    const outdated = { reason: 'evict', keys: [key] } as const;
    for (const owner of this.topology.formerOwnersOf(key))
      await this.tell(owner, outdated, evict.name, (shard, told) =>
        runScript(shard.client, evict, key, { wakePrefix, ...told }),
      );
  }

  private async tell<T>(
    shard: Shard,
    { reason, keys }: Outdated,
    operation: string,
    send: (shard: Shard, told: Announcement) => Promise<T>,
  ): Promise<T> {
    const { announcer } = this.options;
    let told = SILENCE;
    const call = (): Promise<T> => {
      // Not before it is sent: calls in line overtake each other, and some are never sent.
      if (announcer && keys.length > 0) told = announcer.announce(shard, { reason, keys });
      return send(shard, told);
    };
    try {
      return await this.guarded('write', operation, shard, call);
    } catch (error) {
      if (told !== SILENCE) announcer?.disown(told);
      throw error;
    }
  }

  private guarded<T>(
    kind: CallKind,
    operation: string,
    shard: Shard,
    call: () => Promise<T>,
  ): Promise<T> {
    return BATCHED.has(operation)
      ? this.batched.run(operation, shard, call)
      : this.options.guard.run(kind, operation, call, shard.name);
  }
}
