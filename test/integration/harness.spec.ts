import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { FaultProxy } from '../support/proxy.js';
import type { TestServer } from '../support/server.js';
import { startServer } from '../support/start-server.js';
import { waitFor } from '../support/wait-for.js';

const clients: Redis[] = [];

/** Gives up at once, so that each fault is visible in the command that meets it. */
function clientOf(url: string): Redis {
  const client = new Redis(url, {
    maxRetriesPerRequest: 0,
    commandTimeout: 500,
    retryStrategy: () => 20,
    // ioredis keeps the process for so long when the server has gone before the client.
    disconnectTimeout: 10,
  });
  client.on('error', () => undefined);
  clients.push(client);
  return client;
}

afterAll(() => clients.forEach((client) => client.disconnect()));

describe('the shared server', () => {
  it('PING — global setup has run → PONG', async () => {
    expect(await clientOf(process.env.TEST_REDIS_URL!).ping()).toBe('PONG');
  });
});

describe("a test's own server", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({
      password: 'p@ss',
      args: ['--maxmemory', '64mb', '--appendonly', 'yes', '--appendfsync', 'always'],
    });
  });
  afterAll(() => server.stop());

  it('startServer — arguments and password → the server has them', async () => {
    const client = clientOf(server.url);
    expect(await client.config('GET', 'maxmemory')).toEqual(['maxmemory', `${64 * 2 ** 20}`]);
    await expect(clientOf(`redis://${server.host}:${server.port}`).get('a')).rejects.toThrow(
      'NOAUTH',
    );
  });

  it('startServer — twice → two servers', async () => {
    const other = await startServer();
    expect(other.port).not.toBe(server.port);
    await clientOf(other.url).set('only', 'there');
    expect(await clientOf(server.url).get('only')).toBeNull();
    await other.stop();
    await expect(clientOf(other.url).ping()).rejects.toThrow('max retries');
  });

  it('pause, resume — a command in between → answered after resume, not before', async () => {
    const client = clientOf(server.url);
    await client.ping();
    await server.pause();
    let answered = false;
    const answer = client.set('paused', 'yes').then(() => (answered = true));
    await expect(clientOf(server.url).ping()).rejects.toThrow('timed out');
    expect(answered).toBe(false);
    await server.resume();
    await answer.catch(() => undefined);
    expect(await client.get('paused')).toBe('yes');
  });

  it('kill, restart — data on disk → same port, same data, same clients', async () => {
    const client = clientOf(server.url);
    await client.set('kept', '1');
    await server.kill();
    await expect(client.get('kept')).rejects.toThrow(/closed|max retries/);
    await server.restart();
    expect(await waitFor(() => client.get('kept'))).toBe('1');
  });

  it('kill — SIGTERM, and again when it has ended → ended', async () => {
    await server.kill('SIGTERM');
    await server.kill();
    await expect(clientOf(server.url).ping()).rejects.toThrow('max retries');
    await server.restart();
    expect(await clientOf(server.url).ping()).toBe('PONG');
  });

  it('startServer — an argument that redis-server refuses → rejects with its words', async () => {
    await expect(startServer({ args: ['--no-such-option', '1'] })).rejects.toThrow(
      /no-such-option/,
    );
  });
});

describe('FaultProxy', () => {
  let proxy: FaultProxy;
  let client: Redis;
  beforeAll(async () => {
    proxy = await FaultProxy.start(process.env.TEST_REDIS_URL!);
    client = clientOf(proxy.url);
    direct = clientOf(process.env.TEST_REDIS_URL!);
  });
  afterAll(async () => {
    await direct.del(key);
    await proxy.close();
  });

  const key = `harness:${process.pid}`;
  let direct: Redis;

  async function healed(): Promise<void> {
    proxy.set('pass');
    await waitFor(() => client.ping());
  }

  it('pass — commands in a burst → answers in order', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => client.echo(`${i}`)));
    expect(answers).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
    expect(proxy.connections).toBe(1);
  });

  it('delay — one round trip → so much later', async () => {
    proxy.set({ delayMs: 100 });
    const begin = performance.now();
    await client.ping();
    expect(performance.now() - begin).toBeGreaterThanOrEqual(99);
    await healed();
  });

  it('delay — ends while a reply is held → the next one does not overtake it', async () => {
    proxy.set({ delayMs: 100 });
    const held = client.set(key, 'held');
    await waitFor(async () => (await direct.get(key)) === 'held');
    proxy.set('pass');
    expect(await Promise.all([held, client.echo('next')])).toEqual(['OK', 'next']);
  });

  it('drop — a write → times out, never arrives, connection reset when it heals', async () => {
    proxy.set('drop');
    await expect(client.set(key, 'dropped')).rejects.toThrow('timed out');
    expect(client.status).toBe('ready');
    await healed();
    expect(await direct.get(key)).not.toBe('dropped');
  });

  it('drop-replies — a write → times out and has been executed', async () => {
    proxy.set('drop-replies');
    await expect(client.set(key, 'executed')).rejects.toThrow('timed out');
    expect(await direct.get(key)).toBe('executed');
    await healed();
  });

  it('reset — open and new connections → ECONNRESET', async () => {
    const codes: unknown[] = [];
    client.on('error', (error) => codes.push((error as NodeJS.ErrnoException).code));
    proxy.set('reset');
    await waitFor(() => codes.length >= 2);
    expect(new Set(codes)).toEqual(new Set(['ECONNRESET']));
    expect(proxy.connections).toBe(0);
    await healed();
  });

  it('half-close — the replies end → the client reconnects', async () => {
    let closed = 0;
    client.on('close', () => closed++);
    proxy.set('half-close');
    await waitFor(() => closed > 0);
    await healed();
    expect(await client.ping()).toBe('PONG');
  });
});
