import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { systemClock } from '../../../lib/common/clock.js';
import { closeConnection } from '../../../lib/redis/closing.js';
import { createConnection } from '../../../lib/redis/connection.js';
import { Gate } from '../../support/gate.js';
import type { TestServer } from '../../support/server.js';
import { startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';
import { FakeSentinel } from '../bus/fake-sentinel.js';

describe('a master that Sentinel finds', () => {
  let before: TestServer;
  let after: TestServer;
  let sentinel: FakeSentinel;
  let client: Redis;

  beforeAll(async () => {
    [before, after] = await Promise.all([startServer(), startServer()]);
  });
  afterAll(() => Promise.all([before.stop(), after.stop()]));
  beforeEach(async () => {
    sentinel = await FakeSentinel.start(before);
    const context = { clock: systemClock, connectTimeoutMs: 2_000, onError: () => undefined };
    client = createConnection({ redis: { sentinels: [sentinel.address], name: 'main' } }, context);
    await client.connect();
    await waitFor(() => sentinel.listeners === 1);
  });
  afterEach(async () => {
    await closeConnection(client, systemClock);
    await sentinel.close();
  });

  const isAtNewMaster = (): boolean =>
    client.status === 'ready' && client.stream.remotePort === after.port;

  it('another one is told of → connected to it', async () => {
    sentinel.switchTo(after);
    await waitFor(isAtNewMaster);
    expect(await client.ping()).toBe('PONG');
  });

  it('another one is told of while the client asks for it → connected to it', async () => {
    const gate = new Gate();
    sentinel.beforeAnswer = () => gate.pass();
    client.stream.destroy();
    await gate.arrived();
    sentinel.switchTo(after);
    // Whoever has heard it listens no more.
    await waitFor(() => sentinel.listeners === 0);
    gate.open();
    await waitFor(isAtNewMaster);
  });
});
