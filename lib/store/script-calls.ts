import { atEndOfTick } from '../common/async.js';
import {
  SILENCE,
  type Announcement,
  type Announcer,
  type InvalidationReason,
} from '../common/invalidation.js';
import { BatchedCalls } from '../redis/batched-calls.js';
import type { BatchedReads } from '../redis/batched-reads.js';
import { holdWrites } from '../redis/one-write.js';
import { runSteps, type ScriptStep } from '../redis/script-runner.js';
import type { Script } from '../redis/script.js';
import type { Shard, Topology } from '../redis/topology.js';
import type { CallGuard, CallKind } from '../resilience/call-guard.js';
import { evict } from './lua/evict.lua.js';
import { commandsOf } from './command-portions.js';

export interface ScriptCallOptions {
  /** Channel of an instance's wakes, up to its id. The message is the Redis key. */
  wakePrefix: string;
  /** Id of this process, as it registers for wakes: of one length everywhere, and without a comma. */
  instance: string;
  guard: CallGuard;
  reads: BatchedReads;
  /** Without one nobody is told of changes. */
  announcer?: Announcer;
}

/** What a script of entries is told of who runs it. */
type Shared = 'wakePrefix' | 'instance' | keyof Announcement;
type EntryScript<Arg extends string, Reply extends string> = Script<Arg, Reply, Shared>;
type AnyScript = Script<string, string, Shared>;

/** What a change makes outdated, for processes of this layout and, unless it is `kept`, of the one before. */
export interface Outdated {
  /** One script always has the same. */
  reason: InvalidationReason;
  keys: readonly string[];
  elsewhere?: 'kept';
}

interface Told {
  readonly outdated?: Outdated;
  /** The message that was sent along. */
  told?: Announcement;
}

type Step<Arg extends string, Reply extends string, T> = ScriptStep<Arg, Reply, T> & Told;

type AnyStep = Step<string, string, unknown>;

/** What a step is asked, and what is made of its answer. */
type Asked<Arg extends string, Reply extends string, T> = Omit<ScriptStep<Arg, Reply, T>, 'key'>;

/** What a bulk of keys does all at once. But for evicts, others are sent at once, whatever else is under way. */
const BATCHED: ReadonlySet<string> = new Set([
  'acquire',
  'fill',
  'renew',
  'release',
  'touch',
  'write',
]);

/** More would not be faster. */
const MOST_TOGETHER = 32;
/** Whoever hears of them hears of all that are sent together by one message. */
const MOST_EVICTS = 100;

/** Of these, what ends something goes before what begins something. */
const ENDING: ReadonlySet<string> = new Set(['fill', 'renew', 'release']);

/** Clients of one name for several servers, as proxies are, that refuse keys of several in one script. */
const oneByOne = new WeakSet<object>();

const isAcrossSlots = (sent: PromiseSettledResult<unknown>): boolean =>
  sent.status === 'rejected' && (sent.reason as Error).message.startsWith('CROSSSLOT');

/**
 * Sends the scripts of entries to their servers: what is asked for in one tick, of one script and one server, as one command and
 * one message to other processes. In a cluster each key is by itself. Of a slot that moves, one command may be redirected while a
 * later one is carried out, and its message would come before the entry is gone: whoever reads it then keeps a copy of which
 * nobody tells them.
 */
export class ScriptCalls {
  private readonly batched: BatchedCalls<AnyScript, AnyStep>;
  /** Not in one line with others, and ahead of what is asked after them. */
  private readonly evicts: BatchedCalls<AnyScript, AnyStep>;
  private isHolding = false;

  constructor(
    private readonly topology: Topology,
    private readonly options: ScriptCallOptions,
  ) {
    const { guard, reads } = options;
    const common = { guard, send: this.sendAll.bind(this), failed: this.disown.bind(this) };
    this.batched = new BatchedCalls({ ...common, most: MOST_TOGETHER, reads, first: ENDING });
    this.evicts = new BatchedCalls({ ...common, most: MOST_EVICTS });
  }

  run<Arg extends string, Reply extends string, T>(
    kind: CallKind,
    script: EntryScript<Arg, Reply>,
    key: string,
    { values, as }: Asked<Arg, Reply, T>,
  ): Promise<T> {
    return this.runAt(this.topology.shardOf(key), kind, script, { key, values, as });
  }

  /** Runs a script that changes an entry, and has it tell other processes which copies are outdated. */
  change<Arg extends string, Reply extends string, T>(
    script: EntryScript<Arg, Reply>,
    key: string,
    { values, as }: Asked<Arg, Reply, T>,
    outdated: Outdated,
  ): Promise<T> {
    const step = { key, values, as, outdated };
    const answer = this.runAt(this.topology.shardOf(key), 'write', script, step);
    return outdated.elsewhere === 'kept' || this.topology.formerOwnersOf(key).length === 0
      ? answer
      : answer.then(async (given) => (await this.evictFormer(key), given));
  }

  /** Sends the evicts that have been asked for: what is asked next comes after them, unless very many are unanswered. */
  sendEvicts(): void {
    this.evicts.flush();
  }

  /** Processes that have the layout of before look for the key there, and must not find what is outdated; nor in copies. */
  private async evictFormer(key: string): Promise<void> {
    const outdated = { reason: 'evict', keys: [key] } as const;
    for (const owner of this.topology.formerOwnersOf(key))
      await this.runAt(owner, 'write', evict, { key, values: {}, as: isEvicted, outdated });
  }

  private runAt<Arg extends string, Reply extends string, T>(
    shard: Shard,
    kind: CallKind,
    script: EntryScript<Arg, Reply>,
    step: Step<Arg, Reply, T>,
  ): Promise<T> {
    if (script.name === evict.name) return this.runEvict(shard, script, step);
    this.sendEvicts();
    if (BATCHED.has(script.name))
      return this.batched.run(shard, script, step as AnyStep) as Promise<T>;
    return this.runAlone(shard, kind, script, step);
  }

  /** In a cluster each by itself, and in one write: where a slot moves to a server that does not answer, the others are not late. */
  private runEvict<Arg extends string, Reply extends string, T>(
    shard: Shard,
    script: EntryScript<Arg, Reply>,
    step: Step<Arg, Reply, T>,
  ): Promise<T> {
    if (this.topology.kind !== 'cluster')
      return this.evicts.run(shard, script, step as AnyStep) as Promise<T>;
    this.holdForTick();
    return this.runAlone(shard, 'write', script, step);
  }

  private holdForTick(): void {
    if (this.isHolding) return;
    this.isHolding = true;
    const release = holdWrites(this.topology.shards());
    atEndOfTick(() => {
      this.isHolding = false;
      release();
    });
  }

  private async runAlone<Arg extends string, Reply extends string, T>(
    shard: Shard,
    kind: CallKind,
    script: EntryScript<Arg, Reply>,
    step: Step<Arg, Reply, T>,
  ): Promise<T> {
    const call = async (): Promise<T> => {
      const [settled] = await this.command(shard, script, [step]);
      return (settled as PromiseFulfilledResult<T>).value;
    };
    try {
      return await this.options.guard.run(kind, script.name, call, shard.name);
    } catch (error) {
      this.disown([step]);
      throw error;
    }
  }

  /** As few commands as may be; rejects where none has succeeded: then it is the server. */
  private async sendAll<Arg extends string, Reply extends string, T>(
    shard: Shard,
    script: EntryScript<Arg, Reply>,
    steps: readonly Step<Arg, Reply, T>[],
  ): Promise<PromiseSettledResult<T>[]> {
    const { client } = shard;
    const isSplit = this.topology.kind === 'cluster' || oneByOne.has(client);
    const commands = isSplit ? steps.map((step) => [step]) : [...commandsOf(steps)];
    const sent = await Promise.allSettled(
      commands.map((portion) => this.command(shard, script, portion)),
    );
    if (!isSplit && sent.some(isAcrossSlots)) {
      oneByOne.add(client);
      return this.sendAll(shard, script, steps);
    }
    const answers = sent.flatMap((each, i) =>
      each.status === 'fulfilled' ? each.value : commands[i]!.map(() => each),
    );
    const [first] = answers;
    if (first?.status === 'rejected' && answers.every(({ status }) => status === 'rejected'))
      throw first.reason;
    return answers;
  }

  /** Rejects where no step has succeeded. */
  private async command<Arg extends string, Reply extends string, T>(
    shard: Shard,
    script: EntryScript<Arg, Reply>,
    steps: readonly Step<Arg, Reply, T>[],
  ): Promise<PromiseSettledResult<T>[]> {
    const { wakePrefix, instance } = this.options;
    // Not before it is sent: calls in line overtake each other, and some are never sent.
    const told = this.announce(shard, steps);
    for (const step of steps) step.told = told;
    return runSteps(shard.client, script, steps, { wakePrefix, instance, ...told });
  }

  /** What has failed, or is not waited for any more, may yet be carried out: then its message is news to this process as well. */
  private disown(steps: readonly Told[]): void {
    const messages = new Set(steps.map(({ told = SILENCE }) => told));
    for (const told of messages) if (told !== SILENCE) this.options.announcer?.disown(told);
  }

  private announce(shard: Shard, steps: readonly Told[]): Announcement {
    const { announcer } = this.options;
    const reason = steps[0]?.outdated?.reason;
    if (!announcer || !reason) return SILENCE;
    const keys = steps.flatMap(({ outdated }) => outdated?.keys ?? []);
    return keys.length > 0 ? announcer.announce(shard, { reason, keys }) : SILENCE;
  }
}

export const isEvicted = ({ reply }: { reply: string }): boolean => reply === 'evicted';
