import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openCache, plainClient, type TestCache } from '../../support/caches.js';
import { Compiled } from '../../support/compiled.js';
import { waitFor } from '../../support/wait-for.js';
import type { News, Order } from './worker.js';

const WORKER = 'test/integration/locks/worker.ts';

describe('locks of several processes', () => {
  let compiled: Compiled;
  let cache: TestCache;
  const children: Child[] = [];

  /** A process that obeys orders; what it says is kept until it is asked for. */
  class Child {
    private readonly news: News[] = [];

    constructor(private readonly process: ChildProcess) {
      process.on('message', (message) => this.news.push(message as News));
    }

    order(order: Order): void {
      this.process.send(order);
    }

    async said<Is extends News['is']>(is: Is): Promise<Extract<News, { is: Is }>> {
      const found = await waitFor(() => this.news.find((news) => news.is === is), {
        timeoutMs: 20_000,
        intervalMs: 1,
      });
      return found as Extract<News, { is: Is }>;
    }

    signal(signal: NodeJS.Signals): void {
      this.process.kill(signal);
    }

    async gone(): Promise<void> {
      if (this.process.exitCode !== null || this.process.signalCode !== null) return;
      const gone = once(this.process, 'exit');
      this.signal('SIGKILL');
      await gone;
    }
  }

  async function start(): Promise<Child> {
    const args = [process.env.TEST_REDIS_URL!, cache.namespace];
    const child = new Child(fork(compiled.path(WORKER), args, { execArgv: [] }));
    children.push(child);
    await child.said('ready');
    return child;
  }

  beforeAll(async () => {
    compiled = await Compiled.make([WORKER]);
  });
  afterAll(() => compiled.remove());
  beforeEach(async () => {
    cache = await openCache('single');
  });
  afterEach(async () => {
    await Promise.all(children.splice(0).map((child) => child.gone()));
  });

  const queue = async (name: string): Promise<string> =>
    (await plainClient().hget(`${cache.namespace}:lk${name}`, 'waiting')) ?? '';

  it('L7 the holder is killed → the first who waits has the lock when the ttl is over', async () => {
    const ttl = 1_500;
    const holder = await start();
    holder.order({ do: 'hold', name: 'x', ttl });
    await holder.said('held');
    const order: number[] = [];
    const work = (i: number) => async (): Promise<number> => (order.push(i), performance.now());
    const waiting: Promise<number>[] = [];
    for (let i = 0; i < 5; i++) {
      waiting.push(cache.locks.withLock('x', work(i)));
      await waitFor(async () => (await queue('x')).length === 21 * (i + 1));
    }
    const killedAt = performance.now();
    holder.signal('SIGKILL');
    const [first, ...others] = await Promise.all(waiting);
    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect(first! - killedAt).toBeLessThan(ttl + 400);
    expect(Math.max(...others) - first!).toBeLessThan(400);
  }, 30_000);

  it('L7 the first who waits is killed → the next waits no longer than a second for it', async () => {
    const holder = await cache.locks.acquire('x');
    const dead = await start();
    for (let i = 0; i < 20; i++) dead.order({ do: 'wait', name: 'x' });
    await waitFor(async () => (await queue('x')).length === 21 * 20);
    dead.signal('SIGKILL');
    const waiting = Array.from({ length: 20 }, () =>
      cache.locks.withLock('x', async () => undefined),
    );
    await waitFor(async () => (await queue('x')).length === 21 * 40);
    const began = performance.now();
    await holder.release();
    await Promise.all(waiting);
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(await queue('x')).toBe('');
  }, 30_000);

  it('4 processes count in turn → no step is lost, and the tokens grow with the number', async () => {
    const times = 250;
    const workers = await Promise.all([1, 2, 3, 4].map(start));
    for (const worker of workers) worker.order({ do: 'count', name: 'x', times });
    const reports = await Promise.all(workers.map((worker) => worker.said('counted')));
    const steps = reports.flatMap((report) => report.steps).toSorted((a, b) => a.number - b.number);
    expect(steps.map(({ number }) => number)).toEqual(
      Array.from({ length: 4 * times }, (_, i) => i + 1),
    );
    const tokens = steps.map(({ token }) => BigInt(token));
    expect(tokens).toEqual([...new Set(tokens)].toSorted((a, b) => (a < b ? -1 : 1)));
    await plainClient().del(`count:${cache.namespace}`);
  }, 30_000);

  it('L15 the holder stands still beyond its ttl → the next is in; its write is refused by the token', async () => {
    const resource = `resource:${cache.namespace}`;
    const [sleepy, next] = await Promise.all([start(), start()]);
    sleepy.order({ do: 'hold', name: 'x', ttl: 500 });
    await sleepy.said('held');
    sleepy.signal('SIGSTOP');
    next.order({ do: 'hold', name: 'x', ttl: 10_000 });
    await next.said('held');
    next.order({ do: 'write', resource, value: 'new' });
    await next.said('written');
    sleepy.order({ do: 'write', resource, value: 'old' });
    sleepy.signal('SIGCONT');
    await sleepy.said('refused');
    await sleepy.said('lost');
    const client = plainClient();
    expect(await client.hget(resource, 'value')).toBe('new');
    await client.del(resource);
  }, 30_000);

  it('a process that closes → gives its lock back at once, and ends by itself', async () => {
    const holder = await start();
    holder.order({ do: 'hold', name: 'x', ttl: 60_000 });
    await holder.said('held');
    const waiting = cache.locks.acquire('x');
    await waitFor(async () => (await queue('x')) !== '');
    const began = performance.now();
    holder.order({ do: 'end' });
    await waiting;
    expect(performance.now() - began).toBeLessThan(2_000);
    await holder.said('over');
  }, 30_000);
});

describe('two caches on one Redis', () => {
  it('wait in turn → in the order of arrival, woken by messages', async () => {
    const one = await openCache('single');
    const two = await openCache('single', { namespace: one.namespace });
    const holder = await one.locks.acquire('x');
    const order: number[] = [];
    const waiting: Promise<void>[] = [];
    const client = plainClient();
    for (let i = 0; i < 20; i++) {
      const { locks } = i % 3 === 0 ? one : two;
      waiting.push(locks.withLock('x', async () => void order.push(i)));
      await waitFor(
        async () => (await client.hget(`${one.namespace}:lkx`, 'waiting'))?.length === 21 * (i + 1),
        { intervalMs: 1 },
      );
    }
    const began = performance.now();
    await holder.release();
    await Promise.all(waiting);
    expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(performance.now() - began).toBeLessThan(1_500);
  });

  it('L14 several names whose tokens are apart → the next token of each is higher than theirs', async () => {
    const { locks, namespace } = await openCache('single');
    const ahead = BigInt(Date.now() + 3_600_000) * 1_000n;
    await plainClient().hset(`${namespace}:lkb`, 'token', String(ahead));
    const both = await locks.acquire(['a', 'b', 'c']);
    expect(both.fencingToken).toBe(ahead + 1n);
    await both.release();
    for (const name of ['a', 'b', 'c'])
      expect((await locks.acquire(name)).fencingToken).toBe(ahead + 2n);
  });

  it('other namespaces → other locks', async () => {
    const [one, two] = await Promise.all([openCache('single'), openCache('single')]);
    await one.locks.acquire('x');
    expect(await two.locks.tryAcquire('x')).toBeDefined();
  });

  it('a lock that was given back → its record is kept for a day, for the token', async () => {
    const { locks, namespace } = await openCache('single');
    const client = plainClient();
    const lock = await locks.acquire('x', { ttl: '1h' });
    const heldMs = await client.pttl(`${namespace}:lkx`);
    await lock.release();
    const keptMs = await client.pttl(`${namespace}:lkx`);
    const day = 86_400_000;
    expect(heldMs).toBeGreaterThan(day + 3_590_000);
    expect(keptMs).toBeGreaterThan(day - 10_000);
    expect(keptMs).toBeLessThanOrEqual(day);
  });
});
