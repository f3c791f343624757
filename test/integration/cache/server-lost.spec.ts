import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { openCache, type TestCache } from '../../support/caches.js';
import { FaultProxy } from '../../support/proxy.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';

/** A process that reaches the server by a way that can be spoilt, and one whose way is always good. */
describe('a server that fails and is lost', () => {
  let server: TestServer;
  let admin: Redis;
  let proxy: FaultProxy;

  beforeEach(async () => {
    server = await startServer();
    admin = new Redis(server.url);
    proxy = await FaultProxy.start(server.url);
  });
  afterEach(async () => {
    await proxy.close();
    admin.disconnect();
    await server.stop();
  });

  const openBoth = async (): Promise<[spoilt: TestCache, good: TestCache]> => {
    const timeouts = { read: 100, write: 2_000 };
    const spoilt = await openCache({ type: 'single', url: proxy.url }, { l1: false, timeouts });
    const { namespace } = spoilt;
    return [spoilt, await openCache({ type: 'single', url: server.url }, { l1: false, namespace })];
  };

  it('X4 an evict fails while an earlier one of the same key is tried again → it is tried again as well', async () => {
    const [spoilt, good] = await openBoth();
    const tried = jest.spyOn(spoilt.engine.parts.store, 'evict');
    const failing = { code: 'ERR_CACHE_EVICT' };
    await admin.config('SET', 'min-replicas-to-write', 1);
    await expect(spoilt.service.evict('k')).rejects.toMatchObject(failing);
    proxy.set({ delayMs: 600 });
    tried.mockClear();
    await admin.config('SET', 'min-replicas-to-write', 0);
    await waitFor(() => tried.mock.calls.length > 0, { intervalMs: 1 });
    // It is carried out, and its answer on its way.
    await waitFor(() => good.service.set('k', 'old'));
    await sleep(30);
    await good.service.set('k', 'old');
    // Reads that are late open the circuit, and the next evict is refused at once.
    const reads = Array.from({ length: 10 }, (_, i) =>
      sleep(i * 5).then(() => spoilt.service.get(`x${i}`)),
    );
    await Promise.all(reads);
    await expect(spoilt.service.evict('k')).rejects.toMatchObject(failing);
    proxy.set('pass');
    await waitFor(() => spoilt.engine.pending().journal === 0, { timeoutMs: 20_000 });
    expect(await good.service.get('k')).toBeUndefined();
  });

  it('G4 the tag table is lost, and another process begins a new one → what is stored soon counts again', async () => {
    const [writer, reader] = await openBoth();
    await waitFor(() => writer.buses[0]!.live);
    await writer.service.set('k', 0);
    await admin.flushall();
    await reader.service.get('k');
    const stored = async (): Promise<boolean> =>
      (await writer.service.set('k', 1)) && (await reader.service.get('k')) === 1;
    await waitFor(stored, { timeoutMs: 500 });
  });
});
