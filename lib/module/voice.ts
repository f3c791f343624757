import { publish } from '../bus/lua/publish.lua.js';
import { Publisher } from '../bus/publisher.js';
import type { Clock } from '../common/clock.js';
import type { Invalidation } from '../common/invalidation.js';
import type { Meter } from '../observe/meter.js';
import type { Reporter } from '../observe/reporter.js';
import { runScript } from '../redis/script-runner.js';
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
      meter: Meter;
    },
  ) {
    const { clock, instance, meter } = parts;
    this.publisher = new Publisher({
      channel,
      instance,
      clock,
      meter,
      // Whoever misses it notices at the next one. In a cluster any node will do: the better if it is another one, for what is
      // lost between two nodes is lost again.
      publish: (connection, { message }) =>
        void this.publish(connection as Shard, ({ client }) =>
          client.publish(channel, message),
        ).catch(() => undefined),
    });
  }

  async announce(invalidation: Invalidation): Promise<void> {
    const { redis, reporter } = this.parts;
    const tell = async (shard: Shard): Promise<void> => {
      try {
        await this.publish(shard, ({ client }) => {
          // Not before it is sent: calls in line overtake each other, and some are never sent.
          const { message } = this.publisher.announce(shard, invalidation);
          return runScript(client, publish, this.channel, { message });
        });
      } catch (error) {
        // A user that may not publish can still evict; trying again would change nothing.
        if (!isReply((error as Error).cause)) throw error;
        reporter.report('publish', undefined, error);
      }
    };
    const shards =
      redis.kind === 'cluster'
        ? [redis.shardOf(this.channel)]
        : [...redis.shards(), ...redis.formerShards()];
    await Promise.all(shards.map(tell));
  }

  private publish(shard: Shard, call: (shard: Shard) => Promise<unknown>): Promise<unknown> {
    return this.parts.guard.run('write', 'publish', () => call(shard), shard.name);
  }
}
