import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestCluster } from '../test/support/cluster.js';
import { Janitor } from '../test/support/janitor.js';
import { startByFirstWay } from '../test/support/provision.js';
import type { TestServer } from '../test/support/server.js';
import { PASSED_ON, startServer } from '../test/support/start-server.js';

/** Servers of the benchmark's own, started as the tests start theirs, and ended with it, also where it is killed. */
export class Servers {
  private readonly started: { stop(): Promise<void> }[] = [];
  private janitor: Janitor | undefined;
  private way: Promise<string> | undefined;

  /** How they are started: `process`, `package` or `docker`. */
  findWay(): Promise<string> {
    return (this.way ??= this.find());
  }

  async start(): Promise<TestServer> {
    await this.findWay();
    return this.keep(await startServer());
  }

  /** Of so many masters, without replicas. */
  async startCluster(masters: number): Promise<TestCluster> {
    await this.findWay();
    return this.keep(await TestCluster.start({ masters, replicas: 0 }));
  }

  async stop(): Promise<void> {
    await Promise.all(this.started.map((server) => server.stop()));
    await this.janitor?.sweep();
  }

  private keep<T extends { stop(): Promise<void> }>(server: T): T {
    this.started.push(server);
    return server;
  }

  private async find(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'nestjs-redis-cache-'));
    process.env[PASSED_ON.runFolder] = folder;
    this.janitor = new Janitor(folder);
    const { launcher, server } = await startByFirstWay(process.cwd());
    await server.stop();
    process.env[PASSED_ON.launcher] = JSON.stringify(launcher);
    return launcher.way;
  }
}
