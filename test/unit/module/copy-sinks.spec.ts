import { describe, expect, it } from '@jest/globals';
import { InvalidationFeed, type InvalidationEvent } from '../../../lib/bus/invalidation-feed.js';
import { TagMirror } from '../../../lib/cache/tag-mirror.js';
import type { Copy, Tier } from '../../../lib/cache/tier.js';
import { WriteQueues } from '../../../lib/cache/write/write-queues.js';
import { L1Cache } from '../../../lib/l1/l1-cache.js';
import { copySinks } from '../../../lib/module/copy-sinks.js';
import { Meter } from '../../../lib/observe/meter.js';
import { Reporter } from '../../../lib/observe/reporter.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

const NOTHING_KNOWN = { all: true, namespace: 'shop', local: false, reason: 'disconnect' };

/** Two shards, whose number is the last character of a key, and everybody who hears of them. */
function setUp() {
  const clock = new ManualClock();
  const shardOf = (key: string): number => Number(key.at(-1));
  const tier: Tier = new L1Cache<Copy>({ maxEntries: 10, ttlMs: Infinity, clock, shardOf });
  const mirror = new TagMirror({ oneTable: true, clock });
  const reporter = new Reporter({ clock, log: { warn: () => undefined } });
  const feed = new InvalidationFeed({ namespace: 'shop', reporter, clock, startMs: 1_000 });
  const events: InvalidationEvent[] = [];
  feed.on((event) => events.push(event));
  const queues = new WriteQueues({ clock, reporter, shutdownTimeoutMs: 0 });
  const restored: unknown[] = [];
  queues.add({
    flush: async () => undefined,
    close: async () => undefined,
    abandon: async () => 0,
    restore: (gone) => restored.push(gone),
  });
  const meter = new Meter(clock);
  const sinks = copySinks({ tier, mirror, feed, queues, meter });
  const isKept = (key: string): boolean => tier.get(key) !== undefined;
  /** Begins to read it; what this gives ends that, and says whether it is kept then. */
  const read = (key: string): (() => boolean) => {
    const note = tier.note(key);
    return () => {
      tier.put(key, {} as Copy, { note, freshMs: 1_000, bytes: 1 });
      return isKept(key);
    };
  };
  return {
    ...{ clock, feed, meter },
    shards: [sinks(0), sinks(1)] as const,
    isKept,
    /** Whether it is kept then. */
    keep: (key: string): boolean => read(key)(),
    read,
    /** Whether what is read of tags now can be relied on for a while. */
    knowsTags(): boolean {
      mirror.note('shop', { clock: 7 });
      clock.advance(1);
      return mirror.clockOf('shop') === 7;
    },
    /** Whether what was read of tags before still can. */
    stillKnowsTags: () => mirror.clockOf('shop') === 7,
    /** What the application and the write queues have heard since the last time. */
    async heard() {
      await Promise.resolve();
      return { told: events.splice(0), restored: restored.splice(0) };
    },
  };
}

function setUpOpen() {
  const parts = setUp();
  for (const shard of parts.shards) shard.open();
  for (const key of ['shop:ka0', 'shop:ka1']) expect(parts.keep(key)).toBe(true);
  expect(parts.knowsTags()).toBe(true);
  return parts;
}

describe('copySinks', () => {
  it('C4 I5 open — one shard, then the other → copies of each at once, all else with the last', async () => {
    const { shards, keep, knowsTags, feed, heard } = setUp();
    expect([keep('shop:ka0'), keep('shop:ka1')]).toEqual([false, false]);
    shards[0].open();
    expect([keep('shop:ka0'), keep('shop:ka1')]).toEqual([true, false]);
    expect([knowsTags(), feed.live, await heard()]).toEqual([
      false,
      false,
      { told: [], restored: [] },
    ]);
    shards[1].open();
    expect([keep('shop:ka1'), knowsTags(), feed.live]).toEqual([true, true, true]);
    expect(await heard()).toEqual({ told: [], restored: ['anything'] });
  });

  it('C4 I5 O4 shut — one shard, then the other, and back → copies of each go, told of once', async () => {
    const { shards, isKept, keep, knowsTags, feed, heard, meter } = setUpOpen();
    await heard();
    shards[0].shut();
    expect([isKept('shop:ka0'), isKept('shop:ka1'), keep('shop:kb0')]).toEqual([
      false,
      true,
      false,
    ]);
    expect([knowsTags(), feed.live]).toEqual([false, false]);
    expect((await heard()).told).toEqual([NOTHING_KNOWN]);
    shards[1].shut();
    shards[0].open();
    expect([knowsTags(), feed.live, await heard()]).toEqual([
      false,
      false,
      { told: [], restored: [] },
    ]);
    shards[1].open();
    expect([knowsTags(), feed.live]).toEqual([true, true]);
    expect(await heard()).toEqual({ told: [NOTHING_KNOWN], restored: ['anything'] });
    expect(meter.total.subscriberLosses).toBe(2);
  });

  it('I4 O4 distrust → copies of that shard go, and nothing that was known of tags is', async () => {
    const { shards, isKept, stillKnowsTags, feed, heard, meter } = setUpOpen();
    await heard();
    shards[0].distrust();
    expect([isKept('shop:ka0'), isKept('shop:ka1')]).toEqual([false, true]);
    expect([stillKnowsTags(), feed.live]).toEqual([false, true]);
    expect(await heard()).toEqual({ told: [NOTHING_KNOWN], restored: ['anything'] });
    expect(meter.total.invalidationGaps).toBe(1);
  });

  it('C3 flushed → copies of that shard go, and nothing that was known of tags is', async () => {
    const { shards, isKept, stillKnowsTags, heard } = setUpOpen();
    await heard();
    shards[0].flushed();
    expect([isKept('shop:ka0'), isKept('shop:ka1'), stillKnowsTags()]).toEqual([
      false,
      true,
      false,
    ]);
    const cleared = { all: true, namespace: 'shop', local: false, reason: 'clear' };
    expect(await heard()).toEqual({ told: [cleared], restored: ['anything'] });
  });

  it('I1 G4 O4 apply — keys, and tags of which each shard tells → each is heard once', async () => {
    const { shards, isKept, heard, meter } = setUpOpen();
    await heard();
    const keys = { reason: 'evict', keys: ['shop:ka0'] } as const;
    shards[0].apply(keys);
    expect([isKept('shop:ka0'), isKept('shop:ka1')]).toEqual([false, true]);
    const byKey = await heard();
    expect([byKey.told.map((event) => event.keys), byKey.restored]).toEqual([[['a0']], [keys]]);
    const tags = { reason: 'evict', path: 'shop', tags: ['t'], version: 8 } as const;
    for (const shard of shards) shard.apply(tags);
    const byTag = await heard();
    expect([byTag.told.map((event) => event.tags), byTag.restored]).toEqual([[['t']], [tags]]);
    expect(meter.total.invalidationsReceived).toBe(3);
  });

  it('C5 changed, apply — while the key is read → what was read is not kept', () => {
    const { shards, read } = setUpOpen();
    const reads = ['shop:kb0', 'shop:kc0', 'shop:kd0'].map(read);
    shards[0].changed(['shop:kb0']);
    shards[0].apply({ reason: 'set', keys: ['shop:kc0'] });
    expect(reads.map((end) => end())).toEqual([false, false, true]);
  });

  it('C2 I2 changed → copies go, and the application hears of those that were still good', async () => {
    const { clock, shards, isKept, keep, heard } = setUpOpen();
    await heard();
    for (const _ of ['the lease', 'the value']) shards[0].changed(['shop:ka0', 'shop:kb0']);
    expect([isKept('shop:ka0'), isKept('shop:ka1')]).toEqual([false, true]);
    clock.advance(10);
    expect((await heard()).told.map(({ keys }) => keys)).toEqual([['a0']]);
    expect(keep('shop:kb0')).toBe(true);
    shards[0].changed(['shop:kc0']);
    clock.advance(10);
    expect((await heard()).told).toEqual([]);
  });
});
