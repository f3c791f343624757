import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { deferred } from '../../../lib/common/async.js';
import { ReadBatcher } from '../../../lib/redis/read-batcher.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';

describe('ReadBatcher', () => {
  let server: TestServer;
  let client: Redis;
  let batcher: ReadBatcher;
  let sent: number;

  beforeAll(async () => {
    server = await startServer();
    client = new Redis(server.url);
    client.on('error', () => undefined);
    for (let i = 0; i < 20; i++) await client.set(`k${i}`, `value ${i}`);
    await client.lpush('list', 'x');
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });
  beforeEach(async () => {
    sent = 0;
    await client.config('RESETSTAT');
    batcher = new ReadBatcher({ client, maxKeys: 8, guard: (call) => (sent++, call()) });
  });

  /** Commands that the server has run since the test began. */
  async function commands(): Promise<Record<string, number>> {
    const found = (await client.info('commandstats')).matchAll(/cmdstat_(m?get):calls=(\d+)/g);
    return Object.fromEntries([...found].map(([, name, calls]) => [name!, Number(calls)]));
  }
  const text = (bytes: Buffer | null): string | null => bytes && bytes.toString();

  it('a lone read → one GET', async () => {
    expect(text(await batcher.read('k1'))).toBe('value 1');
    expect(await commands()).toEqual({ get: 1 });
  });

  it('reads of one tick → one MGET, each caller its own value', async () => {
    const reads = ['k1', 'nobody', 'k2'].map((key) => batcher.read(key));
    expect((await Promise.all(reads)).map(text)).toEqual(['value 1', null, 'value 2']);
    expect(await commands()).toEqual({ mget: 1 });
  });

  it('callers several promises away from each other in one tick → one MGET', async () => {
    const callers = Array.from({ length: 6 }, async (_, hops) => {
      for (let i = 0; i < hops * 3; i++) await Promise.resolve();
      return text(await batcher.read(`k${hops}`));
    });
    expect(await Promise.all(callers)).toEqual([0, 1, 2, 3, 4, 5].map((i) => `value ${i}`));
    expect(await commands()).toEqual({ mget: 1 });
  });

  it('callers that all woke from one answer → one MGET for the next reads of all', async () => {
    await Promise.all(
      Array.from({ length: 4 }, async (_, i) => {
        await batcher.read(`k${i}`);
        await batcher.read(`k${i + 4}`);
      }),
    );
    expect(await commands()).toEqual({ mget: 2 });
  });

  it('one key many times in one tick → asked once, buffers of their own', async () => {
    const values = await Promise.all([1, 2, 3].map(() => batcher.read('k1')));
    expect(await commands()).toEqual({ get: 1 });
    values[0]!.fill(0);
    expect(values.slice(1).map(text)).toEqual(['value 1', 'value 1']);
  });

  it('a read after the command was sent → a command of its own', async () => {
    const first = batcher.read('k1');
    await new Promise(setImmediate);
    expect(sent).toBe(1);
    await client.set('k1', 'newer');
    expect(text(await batcher.read('k1'))).toBe('newer');
    await first;
    await client.set('k1', 'value 1');
    expect(sent).toBe(2);
  });

  it('more keys than fit → further commands', async () => {
    const reads = Array.from({ length: 20 }, (_, i) => batcher.read(`k${i}`));
    expect((await Promise.all(reads)).map(text)).toEqual(reads.map((_, i) => `value ${i}`));
    expect(await commands()).toEqual({ mget: 3 });
    await new Promise(setImmediate);
    expect(sent).toBe(3);
  });

  it('row 25 several who read many, and others → one MGET, each their own values; nothing of it in the next', async () => {
    const groups = [['k1', 'nobody'], ['k2'], ['k1', 'k3']];
    const read = () =>
      Promise.all([...groups.map((keys) => batcher.readAll(keys)), batcher.readAll(['list'])]);
    const [lone, values] = await Promise.all([batcher.read('k0'), read()]);
    expect(text(lone)).toBe('value 0');
    expect(values.map((each) => each.map(text))).toEqual([
      ['value 1', null],
      ['value 2'],
      ['value 1', 'value 3'],
      [null],
    ]);
    expect(await commands()).toEqual({ mget: 1 });
    expect(text(await batcher.read('k4'))).toBe('value 4');
    expect(await commands()).toEqual({ mget: 1, get: 1 });
  });

  it('row 25 thousands answered together → those of each command go on in a turn of their own', async () => {
    const together = deferred<void>();
    batcher = new ReadBatcher({
      client,
      maxKeys: 256,
      guard: async (call) => {
        const values = await call();
        if (++sent === 4) together.resolve();
        await together.promise;
        return values;
      },
    });
    let turn = 0;
    let next: NodeJS.Immediate;
    const count = (): void => {
      turn++;
      next = setImmediate(count);
    };
    count();
    const reads = Array.from({ length: 1_024 }, (_, i) => batcher.read(`k${i}`).then(() => turn));
    const turns = await Promise.all(reads);
    clearImmediate(next!);
    expect(new Set(turns).size).toBe(4);
    for (const first of [0, 256, 512, 768])
      expect(new Set(turns.slice(first, first + 256)).size).toBe(1);
  });

  it('a key that holds no string → null, alone or among others', async () => {
    expect(await batcher.read('list')).toBeNull();
    const both = await Promise.all([batcher.read('list'), batcher.read('k1')]);
    expect(both.map(text)).toEqual([null, 'value 1']);
  });

  it('the command fails → all of its readers, and nobody else', async () => {
    const failing = new ReadBatcher({
      client,
      maxKeys: 8,
      guard: () => Promise.reject(new Error('no')),
    });
    const reads = ['k1', 'k1', 'k2'].map((key): Promise<unknown> => failing.read(key));
    reads.push(failing.readAll(['k1', 'k3']));
    expect((await Promise.allSettled(reads)).map((r) => r.status)).toEqual(
      Array(4).fill('rejected'),
    );
    expect(text(await batcher.read('k1'))).toBe('value 1');
  });
});
