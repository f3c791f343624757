import type { CallGuard } from '../resilience/call-guard.js';
import { ReadBatcher } from './read-batcher.js';
import type { Shard } from './topology.js';

/** Keys in one MGET. More are no faster, and would let the first wait for the last. */
const MAX_KEYS = 512;

/** The reads of everybody who asks one topology: what is asked of a connection in one tick travels in one command. */
export class BatchedReads {
  /** One per connection; in a cluster, per master. */
  private readonly batchers = new WeakMap<Shard, ReadBatcher>();

  constructor(private readonly guard: CallGuard) {}

  of(shard: Shard): ReadBatcher {
    let batcher = this.batchers.get(shard);
    if (!batcher) {
      const { client, name } = shard;
      batcher = new ReadBatcher({
        client,
        maxKeys: MAX_KEYS,
        guard: (call) => this.guard.run('read', 'read', call, name),
      });
      this.batchers.set(shard, batcher);
    }
    return batcher;
  }
}
