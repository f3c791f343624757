import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { TRUSTED } from '../../faults/support/certificates.js';
import { TlsFront } from '../../faults/support/tls-front.js';
import { openCache, type TestCache } from '../../support/caches.js';
import { waitFor } from '../../support/wait-for.js';

const WANTS_TLS =
  'the server closed the connection before it was ready; does it want TLS (rediss://)?';

/** Where an operator looks. */
async function whatIsSaid({ service, log }: TestCache) {
  const error: unknown = await service.get('k').catch((reason: unknown) => reason);
  const [node] = await service.nodes();
  return { error: (error as Error).message, node: node!.error!.message, log: log.join('\n') };
}

describe('one side speaks TLS, the other does not', () => {
  let front: TlsFront;
  let silent: Server;
  const sockets = new Set<Socket>();

  beforeAll(async () => {
    const { hostname, port } = new URL(process.env.TEST_REDIS_URL!);
    front = await TlsFront.start({ host: hostname, port: Number(port) }, TRUSTED);
    silent = createServer((socket) => sockets.add(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    silent.close();
    await front.close();
  });
  const plainUrl = (): string => front.url.replace('rediss:', 'redis:');

  it('T1 R2 a server with TLS, a client without → says so in errors, nodes() and log', async () => {
    const cache = await openCache({ type: 'single', url: plainUrl() }, { failure: 'strict' });
    const said = await waitFor(async () => {
      const found = await whatIsSaid(cache);
      return found.error.includes(WANTS_TLS) && found;
    });
    expect(said).toEqual({
      error: expect.stringContaining(WANTS_TLS),
      node: expect.stringContaining(WANTS_TLS),
      log: expect.stringContaining(`connection failed: ${WANTS_TLS}`),
    });
  });

  it('T6 R2 a client of the application → says so in errors and nodes()', async () => {
    const client = new Redis(plainUrl(), { lazyConnect: true, enableOfflineQueue: false });
    client.on('error', () => undefined);
    const cache = await openCache({ type: 'single', client }, { failure: 'strict' });
    const said = await waitFor(async () => {
      const found = await whatIsSaid(cache);
      return found.node.includes(WANTS_TLS) && found;
    });
    expect(said).toMatchObject({ error: expect.stringContaining(WANTS_TLS) });
    client.disconnect();
  });

  it.each([
    ['before the cache has heard of it', false],
    ['by the cache', true],
  ])('T6 R2 a connection made %s is lost → no guess why', async (_, lazyConnect) => {
    const options = { lazyConnect, enableOfflineQueue: false, retryStrategy: () => 60_000 };
    const client = new Redis(process.env.TEST_REDIS_URL!, options);
    client.on('error', () => undefined);
    if (!lazyConnect) await waitFor(() => client.status === 'ready');
    const cache = await openCache({ type: 'single', client }, { failure: 'strict' });
    await waitFor(() => client.status === 'ready');
    client.stream.destroy();
    await waitFor(() => client.status === 'reconnecting');
    await expect(cache.service.get('k')).rejects.toThrow(/there is no connection$/);
    client.disconnect();
  });

  it('T1 R2 a server that does not answer TLS → says so after the connect timeout', async () => {
    const { port } = silent.address() as AddressInfo;
    const options = { failure: 'strict', timeouts: { connect: 200 } } as const;
    const cache = await openCache({ type: 'single', url: `rediss://127.0.0.1:${port}` }, options);
    const unanswered = 'the TLS handshake was not answered within 200 ms (connect ETIMEDOUT)';
    const said = await waitFor(async () => {
      const found = await whatIsSaid(cache);
      return found.error.includes(unanswered) && found;
    });
    expect(said).toMatchObject({
      node: expect.stringContaining(unanswered),
      log: expect.stringContaining(`connection failed: ${unanswered}`),
    });
  });

  it('T1 R2 an outage with a reason of its own → that one', async () => {
    const cache = await openCache({ type: 'single', url: 'redis://127.0.0.1:1' }, {});
    const [node] = await cache.service.nodes();
    expect(node!.error!.message).toContain('ECONNREFUSED');
    expect(cache.log.join()).not.toContain('TLS');
  });

  it('T1 R2 a server that refuses a connection in words → no guess about TLS', async () => {
    const refusing = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('-ERR max number of clients reached\r\n');
    });
    await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
    const { port } = refusing.address() as AddressInfo;
    const cache = await openCache({ type: 'single', url: `redis://127.0.0.1:${port}` }, {});
    await waitFor(() => cache.log.join().includes('connection failed'));
    expect(cache.log.join()).not.toContain('TLS');
    await cache.close();
    refusing.close();
  });

  it('T11 closed before it is ready → no word of it', async () => {
    const { port } = silent.address() as AddressInfo;
    const options = { timeouts: { connect: 100 } };
    const cache = await openCache({ type: 'single', url: `redis://127.0.0.1:${port}` }, options);
    await cache.close();
    expect(cache.log.join()).not.toContain('closed the connection');
  });
});
