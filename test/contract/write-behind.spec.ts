import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CacheService } from '../../lib/cache/cache.service.js';
import { WriteBehind } from '../../lib/cache/write/write-behind.js';
import type {
  QueuedWrite,
  WriteBehindOptions,
} from '../../lib/cache/write/write-behind.options.js';
import { openCache, VARIANTS, type TestCache } from '../support/caches.js';
import { Gate } from '../support/gate.js';
import { startServer } from '../support/start-server.js';
import { waitFor } from '../support/wait-for.js';

type Batch = readonly QueuedWrite<string, unknown>[];
type Options = WriteBehindOptions<string, unknown>;

/** A source that remembers what it got, in batches. */
class Source {
  readonly batches: Record<string, unknown>[] = [];
  readonly rows = new Map<string, unknown>();
  running = 0;
  most = 0;
  /** Called with each batch before it is written. */
  before: (batch: Batch) => unknown = () => undefined;

  readonly write = async (batch: Batch): Promise<void> => {
    this.most = Math.max(this.most, ++this.running);
    this.batches.push(Object.fromEntries(batch.map(({ key, value }) => [key, value])));
    try {
      await this.before(batch);
    } finally {
      this.running--;
    }
    for (const { key, value } of batch) this.rows.set(key, value);
  };
}

/** Holds what is stored by this service until the gate is opened. */
function holdSets(service: CacheService): Gate {
  const gate = new Gate();
  const set = service.set.bind(service);
  service.set = async (...args) => {
    await gate.pass();
    return set(...(args as Parameters<typeof set>));
  };
  return gate;
}

describe.each(VARIANTS)('writes behind on %s', (_, topology, variant) => {
  let cache: TestCache;
  let service: CacheService;
  let source: Source;

  beforeEach(async () => {
    cache = await openCache(topology, variant);
    service = cache.service;
    source = new Source();
  });

  const queueOf = (options: Partial<Options> = {}): WriteBehind<string, unknown> =>
    new WriteBehind<string, unknown>(service, {
      write: source.write,
      flushInterval: '1h',
      backoff: 1,
      ...options,
    });

  it('W6 put — nothing written yet → visible at once, and counted as backlog', async () => {
    const queue = queueOf();
    await queue.put('k', { n: 1 });
    expect(await service.get('k')).toEqual({ n: 1 });
    expect(queue.pending('k')).toEqual({ n: 1 });
    expect(queue.pending('other')).toBeUndefined();
    expect(queue.backlog()).toEqual({ size: 1, oldestMs: expect.any(Number) });
    expect(source.batches).toEqual([]);
    await queue.close();
    expect(source.batches).toEqual([{ k: { n: 1 } }]);
    expect(queue.backlog()).toEqual({ size: 0, oldestMs: 0 });
    expect(queue.pending('k')).toBeUndefined();
  });

  it('W6 several values of a key → the latest is written, in the place of the first', async () => {
    const queue = queueOf();
    for (const [key, value] of Object.entries({ k: 1, l: 1 })) await queue.put(key, value);
    await Promise.all([2, 3, 4].map((value) => queue.put('k', value)));
    expect(await service.get('k')).toBe(4);
    await queue.flush();
    expect(source.batches.map((batch) => Object.entries(batch))).toEqual([
      [
        ['k', 4],
        ['l', 1],
      ],
    ]);
  });

  it('W6 a full batch → written at once; what is left waits for the interval', async () => {
    const queue = queueOf({ batchSize: 2 });
    for (const key of ['a', 'b', 'c']) await queue.put(key, key);
    await waitFor(() => source.rows.size === 2);
    expect(source.batches).toEqual([{ a: 'a', b: 'b' }]);
    await queue.flush();
    expect(source.batches).toEqual([{ a: 'a', b: 'b' }, { c: 'c' }]);
  });

  it('W6 flushInterval over → written', async () => {
    const queue = queueOf({ flushInterval: 20 });
    await queue.put('k', 1);
    await waitFor(() => source.rows.get('k') === 1);
    await queue.close();
  });

  it.each([
    ['', async (): Promise<unknown> => undefined],
    [', and somebody evicts the key', () => service.evict('k')],
  ])(
    'W6 a newer value arrives while the older one comes to its end%s → it stays',
    async (...how) => {
      const gate = new Gate();
      const next = new Gate();
      source.before = () => (source.batches.length === 1 ? gate : next).pass();
      const queue = queueOf({ flushInterval: 1 });
      await queue.put('k', 'old');
      const flushed = queue.flush();
      await gate.arrived();
      const arriving = holdSets(service);
      const put = queue.put('k', 'new');
      await arriving.arrived();
      await how[1]();
      gate.open();
      await waitFor(() => queue.pending('k') === undefined);
      arriving.open();
      await Promise.all([put, flushed]);
      await next.arrived();
      expect(await service.get('k')).toBe('new');
      expect(queue.pending('k')).toBe('new');
      next.open();
      await queue.close();
      expect(source.batches).toEqual([{ k: 'old' }, { k: 'new' }]);
    },
  );

  it('W6 two values at once → cached and queued in the order in which they were put', async () => {
    const queue = queueOf();
    const sets = holdSets(service);
    const puts = [queue.put('k', 1), queue.put('k', 2)];
    await sets.arrived();
    const flushed = queue.flush();
    sets.open();
    await Promise.all([...puts, flushed]);
    expect(source.batches).toEqual([{ k: 2 }]);
  });

  it('W6 a newer value while an older one is written → afterwards, never at once, and stays cached', async () => {
    const gate = new Gate();
    source.before = () => gate.pass();
    const queue = queueOf();
    await queue.put('k', 'old');
    const flushed = queue.flush();
    await gate.arrived();
    await queue.put('k', 'new');
    // Enough to begin another batch, if that were allowed.
    const flushedAgain = queue.flush();
    expect(queue.pending('k')).toBe('new');
    source.before = async () => expect(await service.get('k')).toBe('new');
    gate.open();
    await Promise.all([flushed, flushedAgain]);
    expect(source.batches).toEqual([{ k: 'old' }, { k: 'new' }]);
    expect(source.most).toBe(1);
  });

  it('W6 written → evicted, so that the next read loads what the source made of it', async () => {
    const queue = queueOf();
    await queue.put('k', 1);
    await queue.flush();
    expect(await service.has('k')).toBe(false);
    const kept = queueOf({ afterWrite: 'keep' });
    await kept.put('k', 2);
    await kept.flush();
    expect(await service.get('k')).toBe(2);
  });

  it('W6 a batch that fails → tried again as a whole, with newer values, then written', async () => {
    let failures = 2;
    const queue = queueOf();
    source.before = async () => {
      if (failures-- <= 0) return;
      await queue.put('k', `after failure ${2 - failures}`);
      throw new Error('down');
    };
    await queue.put('k', 'first');
    await queue.put('l', 1);
    await queue.flush();
    expect(source.batches).toEqual([
      { k: 'first', l: 1 },
      { k: 'after failure 1', l: 1 },
      { k: 'after failure 2', l: 1 },
    ]);
    const reported = cache.errors.map(({ operation, error }) => [operation, error]);
    expect(reported).toEqual([
      ['WriteBehind.write', expect.objectContaining({ code: 'ERR_CACHE_WRITE_BEHIND' })],
      ['WriteBehind.write', expect.objectContaining({ cause: new Error('down') })],
    ]);
    expect(cache.log.join()).not.toContain('down');
  });

  it.each(['while the older one is written', 'before its next try'])(
    'W6 a newer value comes %s, which fails → it has all its tries',
    async (when) => {
      const tries: unknown[] = [];
      const queue = queueOf({ retries: 1, backoff: 50 });
      const isUnderWay = when.startsWith('while');
      source.before = async ([write]) => {
        tries.push(write!.value);
        if (isUnderWay && tries.length === 1) await queue.put('k', 'new');
        throw new Error('down');
      };
      await queue.put('k', 'old');
      const flushed = queue.flush();
      await waitFor(() => cache.errors.length === 1, { intervalMs: 1 });
      if (!isUnderWay) await queue.put('k', 'new');
      await flushed;
      expect(tries).toEqual(['old', 'new', 'new']);
      await queue.close();
    },
  );

  it('W6 one bad value → the others are written, it alone is dropped and evicted', async () => {
    const error = new Error('not that one');
    source.before = (batch) => {
      if (batch.some(({ key }) => key === 'bad')) throw error;
    };
    const onDropped = jest.fn();
    const queue = queueOf({ retries: 1, onDropped });
    for (const key of ['a', 'bad', 'c']) await queue.put(key, key);
    await queue.flush();
    expect(source.batches.map((batch) => Object.keys(batch).join())).toEqual([
      'a,bad,c',
      'a,bad,c',
      'a',
      'bad',
      'c',
    ]);
    expect([...source.rows.keys()]).toEqual(['a', 'c']);
    expect(onDropped.mock.calls).toEqual([[[{ key: 'bad', value: 'bad' }], error]]);
    expect(await service.has('bad')).toBe(false);
  });

  it('W6 one bad value, and nobody flushes → the others are not held back for an interval each', async () => {
    source.before = (batch) => {
      if (batch.some(({ key }) => key === 'bad')) throw new Error('not that one');
    };
    const queue = queueOf({ retries: 1, batchSize: 5 });
    for (const key of ['a', 'b', 'bad', 'c', 'd']) await queue.put(key, key);
    await waitFor(() => queue.backlog().size === 0);
    expect([...source.rows.keys()]).toEqual(['a', 'b', 'c', 'd']);
  });

  it('W6 onDropped takes its time, or fails → it is waited for, and the failure told', async () => {
    const saved: string[] = [];
    source.before = () => {
      throw new Error('down');
    };
    const queue = queueOf({
      retries: 0,
      onDropped: async ([write]) => {
        await new Promise((resolve) => setTimeout(resolve, 30));
        if (write!.key === 'bad') throw new Error('no place for it');
        saved.push(write!.key as string);
      },
    });
    await queue.put('a', 1);
    await queue.flush();
    expect(saved).toEqual(['a']);
    await queue.put('bad', 1);
    await queue.flush();
    expect(cache.errors.map(({ operation }) => operation)).toContain('WriteBehind.onDropped');
  });

  it('W6 a full queue → rejects; keys that wait already have their place', async () => {
    const queue = queueOf({ maxQueue: 2 });
    await queue.put('a', 1);
    await queue.put('b', 1);
    const refused = { code: 'ERR_CACHE_QUEUE_FULL' };
    await expect(queue.put('c', 1)).rejects.toMatchObject(refused);
    expect(await service.has('c')).toBe(false);
    await queue.put('a', 2);
    await queue.flush();
    const puts = await Promise.allSettled(['c', 'd', 'e'].map((key) => queue.put(key, 1)));
    expect(puts.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    await queue.close();
  });

  it("W6 a full queue, onFull: 'wait' → waits for room, also for the queue's end", async () => {
    const queue = queueOf({ maxQueue: 1, onFull: 'wait' });
    await queue.put('a', 1);
    const second = queue.put('b', 2);
    await queue.flush();
    await second;
    expect(queue.pending('b')).toBe(2);
    const third = queue.put('c', 3);
    const closed = queue.close();
    await expect(third).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
    await closed;
    expect([...source.rows]).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
  });

  it("W6 onFull: 'wait' → a value that waits for room is not queued after a newer one of its key", async () => {
    const queue = queueOf({ maxQueue: 1, onFull: 'wait' });
    const gate = holdSets(service);
    const first = queue.put('k', 1);
    const second = queue.put('k', 2);
    gate.open();
    await first;
    const third = queue.put('k', 3);
    for (const put of [second, third]) {
      await queue.flush();
      await put;
    }
    await queue.close();
    expect(source.batches).toEqual([{ k: 1 }, { k: 2 }, { k: 3 }]);
  });

  it("W6 onFull: 'wait', a put that rejects → its place is for who waits", async () => {
    const queue = queueOf({ maxQueue: 1, onFull: 'wait' });
    const set = service.set.bind(service);
    service.set = () => {
      service.set = set;
      return Promise.reject(new Error('not stored'));
    };
    const failing = queue.put('k', 1);
    const next = queue.put('l', 2);
    await expect(failing).rejects.toThrow('not stored');
    await next;
    await queue.close();
    expect(source.batches).toEqual([{ l: 2 }]);
  });

  it.each([
    ['evict', (): unknown => service.evict('k')],
    ['evictTags', (): unknown => service.evictTags('cats')],
    ['clear', (): unknown => service.clear()],
  ])(
    'W6 %s while a value waits → back in the cache, and no load stores the old one',
    async (...how) => {
      const [, evict] = how;
      const queue = queueOf();
      await queue.put('k', 'new', { tags: ['cats'] });
      await evict();
      expect(queue.pending('k')).toBe('new');
      await service.getOrSet('k', () => 'old');
      await waitFor(async () => (await service.get('k')) === 'new');
      await queue.close();
    },
  );

  it('W6 T1 a tag with half a surrogate pair is evicted → the value that waits comes back all the same', async () => {
    const queue = queueOf();
    const tag = 'cat \ud83d';
    await queue.put('k', 'new', { tags: [tag] });
    await service.evictTags(tag);
    await waitFor(async () => (await service.get('k')) === 'new');
    await queue.close();
  });

  it('W6 the object that was put changes → what was put is written, and read', async () => {
    const queue = queueOf();
    const value = { tags: ['a'] };
    await queue.put('k', value);
    value.tags.push('b');
    expect(queue.pending('k')).toEqual({ tags: ['a'] });
    await queue.flush();
    expect(source.batches).toEqual([{ k: { tags: ['a'] } }]);
  });

  it('W6 the object changes, and its tags, before it is cached → cached and queued as they were given', async () => {
    const queue = queueOf();
    const value = { n: 1 };
    const tags = ['cats'];
    const put = queue.put('k', value, { tags });
    value.n = 2;
    tags.length = 0;
    await put;
    expect(queue.pending('k')).toEqual({ n: 1 });
    expect(await service.get('k')).toEqual({ n: 1 });
    expect((await service.inspect('k'))?.tags).toEqual(['cats']);
    await service.evictTags('cats');
    await waitFor(() => service.has('k'));
    await queue.flush();
    expect(source.batches).toEqual([{ k: { n: 1 } }]);
  });

  it("W6 afterWrite: 'keep', and the cache did not take the value → what it has is older, and goes", async () => {
    const queue = queueOf({ afterWrite: 'keep' });
    await queue.put('k', 'old');
    await queue.flush();
    await service.run('readonly', () => queue.put('k', 'new'));
    expect(await service.get('k')).toBe('old');
    await queue.flush();
    expect(source.rows.get('k')).toBe('new');
    expect(await service.get('k')).toBeUndefined();
  });

  it("W6 afterWrite: 'keep', and what was evicted could not be stored again → what others have loaded is older, and goes", async () => {
    const queue = queueOf({ afterWrite: 'keep' });
    await queue.put('k', 'new');
    const set = jest.spyOn(service, 'set').mockRejectedValue(new Error('not now'));
    await service.evict('k');
    await waitFor(() => set.mock.calls.length > 0);
    expect(await service.getOrSet('k', () => 'old')).toBe('old');
    await queue.flush();
    expect(await service.get('k')).toBeUndefined();
  });

  it("W6 afterWrite: 'keep', and the cache took the value only when it was stored again → it stays", async () => {
    const queue = queueOf({ afterWrite: 'keep' });
    await service.run('readonly', () => queue.put('k', 'new'));
    await service.evict('k');
    await waitFor(() => service.has('k'));
    await queue.flush();
    expect(await service.get('k')).toBe('new');
  });

  it('W6 put with `if` → rejects, and nothing is cached or queued', async () => {
    const queue = queueOf();
    const options: object = { if: 'absent' };
    await expect(queue.put('k', 1, options)).rejects.toMatchObject({ code: 'ERR_CACHE_OPTIONS' });
    expect(queue.backlog().size).toBe(0);
    expect(await service.has('k')).toBe(false);
  });

  it('W6 put — what cannot be stored, or nothing but a bad key → rejects, nothing is queued', async () => {
    const queue = queueOf();
    const unfit = { code: 'ERR_CACHE_SERIALIZATION' };
    await expect(queue.put('k', undefined)).rejects.toMatchObject(unfit);
    await expect(queue.put('', 1)).rejects.toMatchObject({ code: 'ERR_CACHE_KEY' });
    await expect(queue.put('k', 1, { ttl: 0 })).rejects.toMatchObject({
      code: 'ERR_CACHE_OPTIONS',
    });
    expect(queue.backlog().size).toBe(0);
  });

  it('W6 put in mode bypass, evicts in it → queued; the evict does not keep it from coming back', async () => {
    const queue = queueOf();
    await service.run('bypass', () => queue.put('k', 1));
    expect(await service.has('k')).toBe(false);
    expect(queue.pending('k')).toBe(1);
    await service.run('bypass', () => service.evict('k'));
    await waitFor(() => service.has('k'));
    await queue.close();
    expect(source.rows.get('k')).toBe(1);
  });

  it('W6 shutdown → what waits is written first, and nothing more is taken', async () => {
    const queue = queueOf();
    await queue.put('k', 1);
    await cache.close();
    expect(source.rows.get('k')).toBe(1);
    const closed = { code: 'ERR_CACHE_CLOSED' };
    await expect(queue.put('k', 2)).rejects.toMatchObject(closed);
    expect(() => queueOf()).toThrow(expect.objectContaining(closed));
  });

  it('W6 shutdown, and what waits evicts when it is written → the handlers of this process hear of it', async () => {
    const heard: string[] = [];
    cache.listener.on(({ keys = [] }) => void heard.push(...keys));
    source.before = () => service.evict('other');
    await queueOf().put('k', 1);
    expect(heard).not.toContain('other');
    await cache.close();
    expect(heard).toContain('other');
  });

  it.each(['flush', 'close'] as const)(
    'W6 put and %s in one tick → written by then',
    async (end) => {
      const queue = queueOf();
      const put = queue.put('k', 1);
      await queue[end]();
      expect(source.rows.get('k')).toBe(1);
      await put;
    },
  );

  it('W6 flush of one key → does not wait for those that fail', async () => {
    source.before = (batch) => {
      if (batch.some(({ key }) => key === 'bad')) throw new Error('no');
    };
    const queue = queueOf({ batchSize: 1, retries: 1000, backoff: 1 });
    await queue.put('k', 1);
    await queue.put('bad', 1);
    await queue.flush('k', 'unknown');
    expect(source.rows.has('k')).toBe(true);
    source.before = () => undefined;
    await queue.close();
    expect(source.rows.has('bad')).toBe(true);
  });
});

describe('writes behind', () => {
  it('W6 shutdown of several queues whose sources hang → all that is lost is counted', async () => {
    const cache = await openCache('memory', { shutdownTimeout: 50 });
    const gate = new Gate();
    const write = (): Promise<void> => gate.pass();
    for (const keys of [['k', 'l'], ['m']]) {
      const queue = new WriteBehind<string, number>(cache.service, { write });
      for (const key of keys) await queue.put(key, 1);
    }
    await cache.close();
    expect(cache.log.join()).toContain('closed with 3 queued writes that were not written');
    gate.open();
  });

  it('W6 shutdown with a source that hangs → ends in time, says what is lost, and evicts it', async () => {
    const cache = await openCache('single', { shutdownTimeout: 100 });
    const reader = await openCache('single', { namespace: cache.namespace });
    const onDropped = jest.fn();
    const gate = new Gate();
    const write = (): Promise<void> => gate.pass();
    const queue = new WriteBehind<string, number>(cache.service, { write, onDropped });
    await queue.put('k', 1);
    await queue.put('l', 2);
    expect(await reader.service.has('k')).toBe(true);
    await cache.close();
    expect(onDropped.mock.calls).toEqual([
      [
        [
          { key: 'k', value: 1 },
          { key: 'l', value: 2 },
        ],
        expect.objectContaining({ code: 'ERR_CACHE_CLOSED' }),
      ],
    ]);
    expect(cache.log.join()).toContain('closed with 2 queued writes that were not written');
    expect(await reader.service.has('k')).toBe(false);
    gate.fail(new Error('too late to be told of'));
    await new Promise(setImmediate);
    expect(cache.errors).toEqual([]);
  });

  it('W6 shutdown while a value is on its way into the queue → it is told, and nothing waits', async () => {
    const cache = await openCache('memory', { shutdownTimeout: 20 });
    const write = jest.fn(() => undefined);
    const queue = new WriteBehind<string, number>(cache.service, { write });
    const sets = holdSets(cache.service);
    const put = queue.put('k', 1);
    put.catch(() => undefined);
    await sets.arrived();
    await cache.close();
    sets.open();
    await expect(put).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
    expect(queue.backlog().size).toBe(0);
    expect(write).not.toHaveBeenCalled();
  });

  it('W6 shutdown between a write and its evict → reported, and no unhandled rejection', async () => {
    const cache = await openCache('memory', { shutdownTimeout: 20 });
    const written = new Gate();
    const write = (): Promise<void> => written.pass();
    const queue = new WriteBehind<string, number>(cache.service, { write, flushInterval: 1 });
    await queue.put('k', 1);
    await written.arrived();
    const sets = holdSets(cache.service);
    const put = queue.put('k', 2);
    put.catch(() => undefined);
    await sets.arrived();
    written.open();
    await waitFor(() => queue.pending('k') === undefined);
    await cache.close();
    sets.fail(new Error('no'));
    await expect(put).rejects.toThrow('no');
    await waitFor(() => cache.errors.length > 0);
    expect(cache.errors).toEqual([
      {
        operation: 'WriteBehind.evict',
        error: expect.objectContaining({ code: 'ERR_CACHE_CLOSED' }),
      },
    ]);
  });

  it('W6 another process evicts → the value comes back, and its load stores nothing', async () => {
    const cache = await openCache('single');
    const other = await openCache('single', { namespace: cache.namespace });
    const source = new Source();
    const own = cache.service.namespace('cats');
    const cats = other.service.namespace('cats');
    const { write } = source;
    const queue = new WriteBehind<string, unknown>(own, { write, flushInterval: '1h' });
    await queue.put('k', 'new');
    const restoring = holdSets(own);
    await cats.evict('k');
    await restoring.arrived();
    const gate = new Gate();
    const loading = cats.getOrSet('k', async () => (await gate.pass(), 'old'));
    await gate.arrived();
    restoring.open();
    await waitFor(async () => (await cats.get('k')) === 'new');
    gate.open();
    expect(await loading).toBe('old');
    expect(await cats.get('k')).toBe('new');
    await queue.close();
    expect(source.rows.get('k')).toBe('new');
  });

  it('W6 without Redis → queued and written all the same, and what it has is evicted once it is back', async () => {
    const server = await startServer();
    const cache = await openCache({ type: 'single', url: server.url });
    const source = new Source();
    const queue = new WriteBehind<string, unknown>(cache.service, {
      write: source.write,
      afterWrite: 'keep',
    });
    await queue.put('k', 0);
    await queue.flush();
    await server.pause();
    await queue.put('k', 1);
    expect(queue.pending('k')).toBe(1);
    await queue.flush();
    expect(source.rows.get('k')).toBe(1);
    await server.resume();
    await waitFor(() => cache.engine.pending().journal === 0);
    expect(await cache.service.get('k')).toBeUndefined();
    await cache.close();
    await server.stop();
  });

  it("W6 without Redis, failure: 'strict' → put rejects, nothing is queued", async () => {
    const source = new Source();
    const url = 'redis://127.0.0.1:1';
    const strict = await openCache({ type: 'single', url }, { failure: 'strict' });
    const refusing = new WriteBehind<string, unknown>(strict.service, { write: source.write });
    await expect(refusing.put('k', 2)).rejects.toMatchObject({ code: 'ERR_CACHE_CONNECTION' });
    expect(refusing.backlog().size).toBe(0);
  });

  it('W6 keys of another type → cached where `key` says, given to write as they are', async () => {
    const { service } = await openCache('memory');
    const batches: unknown[] = [];
    const queue = new WriteBehind<number, { name: string }>(service, {
      key: (id) => ['cat', id],
      write: (batch) => void batches.push(batch),
      afterWrite: 'keep',
    });
    await queue.put(7, { name: 'Tom' });
    await queue.close();
    expect(batches).toEqual([[{ key: 7, value: { name: 'Tom' } }]]);
    expect(await service.get(['cat', 7])).toEqual({ name: 'Tom' });
  });

  it('W6 wrong options → all of them in one CacheOptionsError', async () => {
    const { service } = await openCache('memory');
    const wrong = { batchSize: 0, flushInterval: 0, maxQueue: 1.5, onFull: 'drop', retries: -1 };
    const more = { backoff: '1h', afterWrite: 'x', onDropped: 1, write: 1, key: 1, nonsense: 1 };
    const make = (options: unknown): unknown => new WriteBehind(service, options as never);
    const problems = { code: 'ERR_CACHE_OPTIONS', problems: { length: 11 } };
    expect(() => make({ ...wrong, ...more })).toThrow(
      expect.objectContaining({ message: expect.stringContaining('batchSize') }),
    );
    let error: unknown;
    try {
      make({ ...wrong, ...more });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject(problems);
    expect(() => make({})).toThrow(/write: given undefined, accepted a function/);
    expect(() => new WriteBehind({} as never, { write: () => undefined })).toThrow(/cache: given/);
  });
});
