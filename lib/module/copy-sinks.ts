import type { InvalidationFeed } from '../bus/invalidation-feed.js';
import type { TagMirror } from '../cache/tag-mirror.js';
import type { Tier } from '../cache/tier.js';
import type { WriteQueues } from '../cache/write/write-queues.js';
import type { Meter } from '../observe/meter.js';
import type { BackendParts } from './backend.js';

/** Who hears of it. */
interface Listeners {
  readonly tier: Tier | undefined;
  readonly mirror: TagMirror;
  readonly feed: InvalidationFeed;
  readonly queues: WriteQueues;
  readonly meter: Meter;
}

/**
 * What is heard, shard by shard: it outdates copies of this process and what it knows of tags, then the application is
 * told. The application hears that messages are lost when those of one shard are, and that they arrive when all do.
 */
export function copySinks(listeners: Listeners): BackendParts['sinks'] {
  const { tier, mirror, feed, queues, meter } = listeners;
  const shut = new Set<number>();
  const isOpen = (): boolean => shut.size === 0;
  return (shard) => {
    shut.add(shard);
    return {
      open: () => {
        tier?.open(shard);
        shut.delete(shard);
        if (!isOpen()) return;
        mirror.trust(true);
        feed.open();
        queues.distrust();
      },
      shut: () => {
        tier?.shut(shard);
        meter.count('subscriberLosses');
        if (isOpen()) {
          mirror.trust(false);
          feed.shut();
        }
        shut.add(shard);
      },
      distrust: () => {
        tier?.clear(shard);
        mirror.distrust();
        meter.count('invalidationGaps');
        feed.distrust();
        queues.distrust();
      },
      apply: (invalidation) => {
        meter.count('invalidationsReceived');
        if ('keys' in invalidation) for (const key of invalidation.keys) tier?.drop(key);
        // Each shard tells of tags, and one of them first.
        else if (!mirror.apply(invalidation)) return;
        feed.apply(invalidation);
        queues.apply(invalidation);
      },
      changed: (keys) => {
        // Each load changes its key twice, whoever does it; news is what has outdated a copy that was still good.
        const outdated = keys.filter((key) => tier?.get(key) !== undefined);
        for (const key of keys) tier?.drop(key);
        feed.changed(outdated);
      },
      flushed: () => {
        tier?.clear(shard);
        mirror.distrust();
        feed.flushed();
        queues.distrust();
      },
    };
  };
}
