import type { Cluster, Redis } from 'ioredis';
import { atEndOfTick } from '../common/async.js';
import { CacheConnectionError } from '../common/errors.js';
import type { CallGuard } from '../resilience/call-guard.js';
import { toCacheError } from '../resilience/redis-failure.js';
import { masterNamed } from './cluster-nodes.js';
import type { Shard } from './topology.js';

interface Call {
  readonly send: () => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** The calls of one operation to one server. */
interface Batch {
  readonly shard: Shard;
  readonly operation: string;
  readonly calls: Call[];
}

/** Calls under one guard. More would all fail with the first that is late. */
const MOST_CALLS = 100;
/** Calls that a server may leave unanswered: whatever else it is asked, an evict above all, is answered after them. */
const MOST_UNANSWERED = 1_000;
const MOST_WAITING = 100_000;

/**
 * Writing commands that are asked for in one tick, each by itself: those of one operation to one server are written in one
 * go and wait for their answers together, as one call of the guard, so that a bulk of a thousand keys takes a round trip
 * and not a thousand slots. Commands of one operation keep their order. A tick is that of the `ReadBatcher`.
 *
 * Beyond a thousand they wait in line until the server has answered others, and only then does their deadline begin: a bulk
 * takes its time, and once nothing is answered the guard refuses all of it. When 100 000 wait, more are refused.
 */
export class BatchedCalls {
  /** Empty between ticks. */
  private batches: Batch[] = [];
  /** The one of each shard and operation that has room. */
  private readonly open = new Map<Shard, Map<string, Batch>>();
  private readonly lines = new WeakMap<Shard, Line>();

  /** `first`: operations that go before the others in line. */
  constructor(
    private readonly guard: CallGuard,
    private readonly first: ReadonlySet<string>,
  ) {}

  run<T>(operation: string, shard: Shard, send: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const call = { send, resolve: resolve as Call['resolve'], reject };
      this.batchFor(shard, operation).calls.push(call);
    });
  }

  private batchFor(shard: Shard, operation: string): Batch {
    let ofShard = this.open.get(shard);
    if (!ofShard) this.open.set(shard, (ofShard = new Map()));
    let batch = ofShard.get(operation);
    if (batch && batch.calls.length < MOST_CALLS) return batch;
    if (this.batches.length === 0) atEndOfTick(this.flush);
    batch = { shard, operation, calls: [] };
    this.batches.push(batch);
    ofShard.set(operation, batch);
    return batch;
  }

  private readonly flush = (): void => {
    const { batches } = this;
    this.batches = [];
    this.open.clear();
    for (const batch of batches) this.queue(batch);
    for (const shard of new Set(batches.map((batch) => batch.shard)))
      this.sendNext(shard, this.lineOf(shard));
  };

  private lineOf(shard: Shard): Line {
    let line = this.lines.get(shard);
    if (!line) this.lines.set(shard, (line = new Line()));
    return line;
  }

  private queue(batch: Batch): void {
    const { shard, operation, calls } = batch;
    const line = this.lineOf(shard);
    if (line.waiting < MOST_WAITING) return line.add(batch, this.first.has(operation));
    const { waiting } = line;
    const error = new CacheConnectionError(
      `${operation} was not sent: ${waiting} calls wait for ${shard.name} already`,
    );
    for (const call of calls) call.reject(error);
  }

  /** As much as the server may be sent now, in one write. */
  private sendNext(shard: Shard, line: Line): void {
    const stream = streamOf(shard);
    stream?.cork();
    for (let batch = line.next(); batch; batch = line.next()) {
      const { length } = batch.calls;
      void this.send(batch).then(() => {
        line.unanswered -= length;
        if (line.waiting > 0) this.sendNext(shard, line);
      });
    }
    stream?.uncork();
  }

  /** Resolves when each of the calls has its answer, or error. */
  private async send({ shard, operation, calls }: Batch): Promise<void> {
    const [only] = calls;
    if (calls.length === 1)
      return this.guard
        .run('write', operation, only!.send, shard.name)
        .then(only!.resolve, only!.reject);
    const call = (): Promise<PromiseSettledResult<unknown>[]> => sendAll(calls);
    try {
      const answers = await this.guard.run('write', operation, call, shard.name);
      for (const [i, { resolve, reject }] of calls.entries()) {
        const answer = answers[i]!;
        if (answer.status === 'fulfilled') resolve(answer.value);
        else reject(toCacheError(answer.reason, operation, shard.name));
      }
    } catch (error) {
      for (const { reject } of calls) reject(error);
    }
  }
}

/** What one server has been sent and has not answered, and what it is sent next. */
class Line {
  unanswered = 0;
  waiting = 0;
  private readonly urgent: Batch[] = [];
  private readonly others: Batch[] = [];

  add(batch: Batch, isUrgent: boolean): void {
    this.waiting += batch.calls.length;
    (isUrgent ? this.urgent : this.others).push(batch);
  }

  /** The batch that is to be sent now, if the server has answered enough. */
  next(): Batch | undefined {
    if (this.unanswered >= MOST_UNANSWERED) return undefined;
    const batch = this.urgent.shift() ?? this.others.shift();
    if (!batch) return undefined;
    this.waiting -= batch.calls.length;
    this.unanswered += batch.calls.length;
    return batch;
  }
}

/** Rejects where none has succeeded: then it is the server. */
async function sendAll(calls: readonly Call[]): Promise<PromiseSettledResult<unknown>[]> {
  const answers = await Promise.allSettled(calls.map(async ({ send }) => send()));
  const [first] = answers;
  if (first?.status === 'rejected' && answers.every(({ status }) => status === 'rejected'))
    throw first.reason;
  return answers;
}

/** The socket that commands for this shard are about to be written to. */
function streamOf({ client, name }: Shard): Redis['stream'] | undefined {
  const node = client.isCluster ? masterNamed(client as Cluster, name) : (client as Redis);
  return node?.status === 'ready' ? node.stream : undefined;
}
