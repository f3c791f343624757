import type { Cluster, Redis } from 'ioredis';
import { atEndOfTick } from '../common/async.js';
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

/**
 * Writing commands that are asked for in one tick, each by itself: those of one operation to one server are written in one
 * go and wait for their answers together, as one call of the guard, so that a bulk of a thousand keys takes a round trip
 * and not a thousand slots. Commands of one operation keep their order. A tick is that of the `ReadBatcher`.
 */
export class BatchedCalls {
  /** Empty between ticks. */
  private batches: Batch[] = [];
  /** The one of each shard and operation that has room. */
  private readonly open = new Map<Shard, Map<string, Batch>>();

  constructor(private readonly guard: CallGuard) {}

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
    const corked = new Set(batches.map(({ shard }) => streamOf(shard)));
    for (const stream of corked) stream?.cork();
    for (const batch of batches) this.send(batch);
    for (const stream of corked) stream?.uncork();
  };

  private send({ shard, operation, calls }: Batch): void {
    const refuse = (error: unknown): void => calls.forEach((call) => call.reject(error));
    const [only] = calls;
    if (calls.length === 1) {
      this.guard.run('write', operation, only!.send, shard.name).then(only!.resolve, refuse);
      return;
    }
    this.guard
      .run('write', operation, () => sendAll(calls), shard.name)
      .then((answers) => {
        calls.forEach((call, i) => {
          const answer = answers[i]!;
          if (answer.status === 'fulfilled') call.resolve(answer.value);
          else call.reject(toCacheError(answer.reason, operation, shard.name));
        });
      }, refuse);
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
