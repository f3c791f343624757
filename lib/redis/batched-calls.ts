import { atEndOfTick } from '../common/async.js';
import { CacheConnectionError } from '../common/errors.js';
import type { CallGuard } from '../resilience/call-guard.js';
import { toCacheError } from '../resilience/redis-failure.js';
import type { BatchedReads } from './batched-reads.js';
import { inOneWrite } from './one-write.js';
import type { Shard } from './topology.js';

interface Waiting<Call> {
  readonly call: Call;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** The calls of one kind to one server. */
interface Batch<Kind, Call> {
  readonly shard: Shard;
  readonly kind: Kind;
  readonly waiting: Waiting<Call>[];
}

export interface BatchedCallsOptions<Kind, Call> {
  guard: CallGuard;
  /**
   * Calls that are sent together. All of them fail with the first that is late, and whoever asks rests while the server works on many,
   * and the server while they go on.
   */
  most: number;
  /** What they have been asked for goes ahead, in the same write: whoever calls often waits for a read as well. */
  reads?: BatchedReads;
  /** Names of kinds that go before the others in line. */
  first?: ReadonlySet<string>;
  /** Sends calls of one kind together, each once; settles for each, in their order, or rejects where the server has failed. */
  send: (
    shard: Shard,
    kind: Kind,
    calls: readonly Call[],
  ) => Promise<readonly PromiseSettledResult<unknown>[]>;
  /** Told of those that have failed, or are not waited for any more: they may yet be carried out. */
  failed: (calls: readonly Call[]) => void;
}

/** Calls in one line that a server may leave unanswered: whatever else it is asked is answered after them. */
const MOST_UNANSWERED = 1_024;
const MOST_WAITING = 100_000;

/**
 * Writing calls that are asked for in one tick, each by itself: those of one kind to one server are sent in one go and wait
 * for their answers together, as one call of the guard, so that a bulk of a thousand keys takes a round trip and not a
 * thousand slots. What is full is sent at once. Calls of one kind keep their order. A tick is that of the `ReadBatcher`.
 *
 * Beyond a thousand they wait in line until the server has answered others, and only then does their deadline begin: a bulk
 * takes its time, and once nothing is answered the guard refuses all of it. When 100 000 wait, more are refused.
 */
export class BatchedCalls<Kind extends { readonly name: string }, Call> {
  /** Those that have room, of each server and kind; empty between ticks. */
  private open = new Map<Shard, Map<Kind, Batch<Kind, Call>>>();
  private readonly lines = new WeakMap<Shard, Line<Batch<Kind, Call>>>();

  constructor(private readonly options: BatchedCallsOptions<Kind, Call>) {}

  run(shard: Shard, kind: Kind, call: Call): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const batches = this.openFor(shard);
      const batch = batches.get(kind) ?? { shard, kind, waiting: [] };
      batch.waiting.push({ call, resolve, reject });
      if (batch.waiting.length < this.options.most) return void batches.set(kind, batch);
      // The server works on it while the rest of the tick is under way.
      batches.delete(kind);
      this.queue(shard, [batch]);
    });
  }

  private openFor(shard: Shard): Map<Kind, Batch<Kind, Call>> {
    if (this.open.size === 0) atEndOfTick(this.flush);
    let batches = this.open.get(shard);
    if (!batches) this.open.set(shard, (batches = new Map()));
    return batches;
  }

  /** Sends what has been asked for, before the tick is over. */
  readonly flush = (): void => {
    const { open } = this;
    if (open.size === 0) return;
    this.open = new Map();
    for (const [shard, batches] of open) this.queue(shard, batches.values());
  };

  private lineOf(shard: Shard): Line<Batch<Kind, Call>> {
    let line = this.lines.get(shard);
    if (!line) this.lines.set(shard, (line = new Line()));
    return line;
  }

  private queue(shard: Shard, batches: Iterable<Batch<Kind, Call>>): void {
    const line = this.lineOf(shard);
    for (const batch of batches) {
      const { kind, waiting } = batch;
      if (line.waiting < MOST_WAITING) line.add(batch, !!this.options.first?.has(kind.name));
      else {
        const error = new CacheConnectionError(
          `${kind.name} was not sent: ${line.waiting} calls wait for ${shard.name} already`,
        );
        for (const { reject } of waiting) reject(error);
      }
    }
    this.sendNext(shard, line);
  }

  /** As much as the server may be sent now, in one write. */
  private sendNext(shard: Shard, line: Line<Batch<Kind, Call>>): void {
    inOneWrite([shard], () => {
      let batch = line.next();
      if (batch) this.options.reads?.of(shard).flush();
      for (; batch; batch = line.next()) {
        const { length } = batch.waiting;
        void this.send(batch).then(() => {
          line.unanswered -= length;
          if (line.waiting > 0) this.sendNext(shard, line);
        });
      }
    });
  }

  /** Resolves when each of the calls has its answer, or error. */
  private async send({ shard, kind, waiting }: Batch<Kind, Call>): Promise<void> {
    const { guard, send, failed } = this.options;
    const calls = waiting.map(({ call }) => call);
    try {
      const answers = await guard.run(
        'write',
        kind.name,
        () => send(shard, kind, calls),
        shard.name,
      );
      const refused: Call[] = [];
      for (const [i, answer] of answers.entries()) {
        const { call, resolve, reject } = waiting[i]!;
        if (answer.status === 'fulfilled') resolve(answer.value);
        else {
          refused.push(call);
          reject(toCacheError(answer.reason, kind.name, shard.name));
        }
      }
      failed(refused);
    } catch (error) {
      failed(calls);
      for (const { reject } of waiting) reject(error);
    }
  }
}

/** What one server has been sent and has not answered, and what it is sent next. */
class Line<B extends { readonly waiting: readonly unknown[] }> {
  unanswered = 0;
  waiting = 0;
  private readonly urgent: B[] = [];
  private readonly others: B[] = [];

  add(batch: B, isUrgent: boolean): void {
    this.waiting += batch.waiting.length;
    (isUrgent ? this.urgent : this.others).push(batch);
  }

  /** The batch that is to be sent now, if the server has answered enough. */
  next(): B | undefined {
    if (this.unanswered >= MOST_UNANSWERED) return undefined;
    const batch = this.urgent.shift() ?? this.others.shift();
    if (!batch) return undefined;
    this.waiting -= batch.waiting.length;
    this.unanswered += batch.waiting.length;
    return batch;
  }
}
