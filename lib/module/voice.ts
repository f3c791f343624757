import { Publisher } from '../bus/publisher.js';
import type { Clock } from '../common/clock.js';
import type { Invalidation } from '../common/invalidation.js';
import type { Reporter } from '../observe/reporter.js';
import type { RedisClient, Shard, Topology } from '../redis/topology.js';
import type { CallGuard } from '../resilience/call-guard.js';
import { isReply } from '../resilience/redis-failure.js';

/** What this process says to others by itself, and not within the command that changes an entry. */
export class Voice {
  readonly publisher: Publisher;
  private readonly nodes: ReadonlyMap<RedisClient, string>;

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
    const { redis, clock, instance } = parts;
    this.nodes = new Map(redis.connections().map(({ client, name }) => [client, name]));
    this.publisher = new Publisher({
      channel,
      instance,
      clock,
      // Whoever misses it notices at the next message.
      publish: (connection, { message }) =>
        void this.publish(connection as RedisClient, message).catch(() => undefined),
    });
  }

  async announce(invalidation: Invalidation): Promise<void> {
    const { redis, reporter } = this.parts;
    const tell = async ({ client }: Shard): Promise<void> => {
      try {
        await this.publish(client, this.publisher.announce(client, invalidation).message);
      } catch (error) {
        // A user that may not publish can still evict; trying again would change nothing.
        if (!isReply((error as Error).cause)) throw error;
        reporter.report('publish', undefined, error);
      }
    };
    await Promise.all([...redis.shards(), ...redis.formerShards()].map(tell));
  }

  private publish(client: RedisClient, message: string): Promise<number> {
    const call = (): Promise<number> => client.publish(this.channel, message);
    return this.parts.guard.run('write', 'publish', call, this.nodes.get(client));
  }
}
