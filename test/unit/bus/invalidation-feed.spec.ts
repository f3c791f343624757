import { describe, expect, it } from '@jest/globals';
import { InvalidationFeed, type InvalidationEvent } from '../../../lib/bus/invalidation-feed.js';
import { systemClock } from '../../../lib/common/clock.js';
import { KeySpace } from '../../../lib/keys/key-space.js';
import { Reporter } from '../../../lib/observe/reporter.js';

function makeFeed(startMs = 1_000): {
  feed: InvalidationFeed;
  events: InvalidationEvent[];
  /** Takes the one handler back that there is. */
  off: () => void;
  clock: { ms: number; timers: (() => void)[]; fire(): void };
} {
  const timers: (() => void)[] = [];
  const fire = (): void => timers.splice(0).forEach((timer) => timer());
  const clock = { ms: 0, timers, fire };
  const reporter = new Reporter({ clock: systemClock, log: { warn: () => undefined } });
  const feed = new InvalidationFeed({
    namespace: 'shop',
    reporter,
    clock: {
      ...systemClock,
      monotonic: () => clock.ms,
      setTimer: (_, timer) => timers.push(timer),
    },
    startMs,
  });
  const events: InvalidationEvent[] = [];
  const off = feed.on((event) => events.push(event));
  return { feed, events, off, clock };
}

const evicted = (...keys: string[]) => ({ reason: 'evict' as const, keys });
const turn = (): Promise<void> => Promise.resolve();

describe('InvalidationFeed', () => {
  it('apply → handlers run after the code that an event comes from, not within it', async () => {
    const { feed, events } = makeFeed();
    feed.apply(evicted('shop:ka'));
    feed.apply(evicted('shop:kb'));
    expect(events).toEqual([]);
    await turn();
    expect(events.map(({ keys }) => keys)).toEqual([['a'], ['b']]);
  });

  it('apply — 10 000 events in one turn → each is told; one more → one that stands for all, and what follows', async () => {
    const { feed, events } = makeFeed();
    for (let i = 0; i < 10_000; i++) feed.apply(evicted(`shop:k${i}`));
    await turn();
    expect(events.splice(0)).toHaveLength(10_000);
    for (let i = 0; i < 10_002; i++) feed.apply(evicted(`shop:k${i}`));
    await turn();
    expect(events).toEqual([
      { all: true, namespace: 'shop', local: false, reason: 'disconnect' },
      { keys: ['10001'], namespace: 'shop', local: false, reason: 'evict' },
    ]);
  });

  it('I5 a handler registers another one → that one hears what comes afterwards', async () => {
    const { feed } = makeFeed();
    const heard: unknown[] = [];
    feed.on(() => {
      if (heard.length === 0) feed.on(({ keys }) => heard.push(keys));
    });
    feed.apply(evicted('shop:ka'));
    await turn();
    expect(heard).toEqual([]);
    feed.apply(evicted('shop:kb'));
    await turn();
    expect(heard).toEqual([['b']]);
  });

  it('I2 nobody listens → nothing for who registers in the same turn afterwards', async () => {
    const { feed, events, off } = makeFeed();
    off();
    feed.apply(evicted('shop:ka'));
    feed.apply({ reason: 'clear', path: 'shop', version: 1 });
    feed.distrust();
    feed.on((event) => events.push(event));
    await turn();
    expect(events).toEqual([]);
  });

  it('own — keys whose text in Redis is a digest → as they were given', async () => {
    const { feed, events } = makeFeed();
    const space = new KeySpace('shop').child('eu');
    const keys = ['x'.repeat(300), ['y'.repeat(300), 1]].map((key) => space.entry(key));
    feed.own({ reason: 'set', keys });
    await turn();
    expect(events).toEqual([
      {
        keys: ['x'.repeat(300), `["${'y'.repeat(300)}",1]`],
        namespace: 'shop/eu',
        local: true,
        reason: 'set',
      },
    ]);
  });

  it.each([
    ["a string that looks like an array's text", '["a"]', '["a"]'],
    ['text with every kind of character', ' %{}"\\\n\ud800ü', ' %{}"\\\n\ud800ü'],
    ['an array with text like a bigint', ['7n', 7n], '["7n",7n]'],
    ['numbers', [1.5, -0, 1e21], '[1.5,0,1e+21]'],
  ])('apply — %s → comes back', async (_, key, text) => {
    const { feed, events } = makeFeed();
    feed.apply(evicted(new KeySpace('shop').entry(key).redisKey));
    await turn();
    expect(events[0]!.keys).toEqual([text]);
  });

  it('apply — keys that nobody here can have written → all, of their namespace', async () => {
    const { feed, events } = makeFeed();
    feed.apply(evicted('shop/eu:hABC'));
    feed.apply(evicted('shop:k%ZZ', 'shop:ka'));
    feed.apply(evicted('nothing'));
    feed.apply(evicted());
    await turn();
    const about = { local: false, reason: 'evict' };
    expect(events).toEqual([
      { all: true, namespace: 'shop/eu', ...about },
      { all: true, namespace: 'shop', ...about },
      { all: true, namespace: '', ...about },
    ]);
  });

  it('changed — the process that did it says so, too → told once, by it; nobody does → as an evict', async () => {
    const { feed, events, clock } = makeFeed();
    feed.changed(['shop:ka', 'shop:kb']);
    feed.changed(['shop:kc']);
    feed.apply({ reason: 'set', keys: ['shop:kb'] });
    clock.fire();
    await turn();
    const about = { namespace: 'shop', local: false };
    expect(events).toEqual([
      { keys: ['b'], reason: 'set', ...about },
      { keys: ['a', 'c'], reason: 'evict', ...about },
    ]);
    expect(clock.timers).toEqual([]);
  });

  it('C3 changed — again and again → one timer at a time, and each change is told', async () => {
    const { feed, events, clock } = makeFeed();
    for (const key of ['shop:ka', 'shop:kb', 'shop:ka']) {
      feed.changed([key]);
      feed.changed(['shop:kc']);
      expect(clock.timers).toHaveLength(1);
      clock.fire();
      await turn();
    }
    expect(events.map(({ keys }) => keys)).toEqual([
      ['a', 'c'],
      ['b', 'c'],
      ['a', 'c'],
    ]);
  });

  it('C3 changed — nobody listens, or no copy was outdated → no timer, and nothing for who registers afterwards', async () => {
    const { feed, events, off, clock } = makeFeed();
    feed.changed([]);
    off();
    feed.changed(['shop:ka']);
    expect(clock.timers).toEqual([]);
    feed.on((event) => events.push(event));
    clock.fire();
    await turn();
    expect(events).toEqual([]);
  });

  it('I2 events of each kind → frozen with all that is in them, and what was given is not', async () => {
    const { feed, events } = makeFeed();
    const tags = ['t'];
    feed.own({ reason: 'evict', path: 'shop', tags });
    feed.apply(evicted('shop:ka'));
    feed.distrust();
    await turn();
    for (let i = 0; i <= 10_000; i++) feed.distrust();
    await turn();
    expect(events).toHaveLength(4);
    const parts = events.flatMap((event) => [event, event.tags ?? event, event.keys ?? event]);
    expect(parts.every(Object.isFrozen)).toBe(true);
    expect(Object.isFrozen(tags)).toBe(false);
  });

  it('I2 close → not live, and nobody is called any more, nor who registers afterwards', async () => {
    const { feed, events } = makeFeed();
    feed.open();
    feed.close();
    feed.on((event) => events.push(event));
    feed.own({ reason: 'clear', path: 'shop' });
    await turn();
    expect([feed.live, events]).toEqual([false, []]);
  });

  it('I5 open — soon after the start → nothing was missed; later, or after shut → everything may be', async () => {
    const { feed, events, clock } = makeFeed();
    expect(feed.live).toBe(false);
    feed.open();
    await turn();
    expect([feed.live, events.length]).toEqual([true, 0]);
    feed.shut();
    expect(feed.live).toBe(false);
    feed.open();
    await turn();
    expect(events).toHaveLength(2);

    const late = makeFeed();
    late.clock.ms = 1_001;
    late.feed.open();
    await turn();
    expect(late.events).toMatchObject([{ all: true, reason: 'disconnect' }]);
    expect(clock.ms).toBe(0);
  });
});
