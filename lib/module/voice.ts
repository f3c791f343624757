import { Publisher } from '../bus/publisher.js';
import type { Clock } from '../common/clock.js';
import type { Invalidation } from '../common/invalidation.js';
import type { Reporter } from '../observe/reporter.js';
import type { Shard, Topology } from '../redis/topology.js';
import type { CallGuard } from '../resilience/call-guard.js';
import { isReply } from '../resilience/redis-failure.js';

/** What this process says to others by itself, and not within the command that changes an entry. */
export class Voice {
  readonly publisher: Publisher;

  constructor(
    private readonly channel: string,
    private readonly parts: {
      redis: Topology;
      guard: CallGuard;
      clock: Clock;
      instance: string;
      reporter: Reporter;
    },
  ) {
    const { clock, instance } = parts;
    this.publisher = new Publisher({
      channel,
      instance,
      clock,
      // Whoever misses it notices at the next message.
      publish: (connection, { message }) =>
        void this.publish(connection as Shard, message).catch(() => undefined),
    });
  }

  async announce(invalidation: Invalidation): Promise<void> {
    const { redis, reporter } = this.parts;
    const tell = async (shard: Shard): Promise<void> => {
      try {
        await this.publish(shard, this.publisher.announce(shard, invalidation).message);
      } catch (error) {
        // A user that may not publish can still evict; trying again would change nothing.
        if (!isReply((error as Error).cause)) throw error;
        reporter.report('publish', undefined, error);
      }
    };
    await Promise.all([...redis.shards(), ...redis.formerShards()].map(tell));
  }

  private publish({ client, name }: Shard, message: string): Promise<number> {
    const call = (): Promise<number> => client.publish(this.channel, message);
    return this.parts.guard.run('write', 'publish', call, name);
  }
}
