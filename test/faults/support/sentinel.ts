import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../../support/ports.js';
import type { Launcher, TestServer } from '../../support/server.js';
import { PASSED_ON, startServer } from '../../support/start-server.js';
import { waitFor } from '../../support/wait-for.js';
import { now } from '../load/ledger.js';
import { operator } from './states.js';

type Binary = Exclude<Launcher, { way: 'docker' }>;

const NAME = 'main';
const REPLICATION = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'];

/** Undefined where servers are containers: there a Sentinel would hear of addresses that nobody else can use. */
export function binaryOfRun(): Binary | undefined {
  const launcher = JSON.parse(process.env[PASSED_ON.launcher] ?? 'null') as Launcher | null;
  return launcher && launcher.way !== 'docker' ? launcher : undefined;
}

/** A master, its replica, and one Sentinel that watches both. */
export class WatchedServers {
  private constructor(
    readonly master: TestServer,
    readonly replica: TestServer,
    private readonly sentinel: { child: ChildProcess; port: number; admin: Redis; ears: Redis },
    /** When Sentinel has told of another master; CLOCK_MONOTONIC in ms. */
    readonly switched: Promise<number>,
  ) {}

  /** `downAfterMs`: a master that has been silent for so long is taken for down. */
  static async start(binary: Binary, downAfterMs: number): Promise<WatchedServers> {
    const master = await startServer({ args: REPLICATION });
    const follow = ['--replicaof', `${master.host} ${master.port}`];
    const replica = await startServer({ args: [...REPLICATION, ...follow] });
    const toReplica = operator(replica);
    // One that starts to watch before the two are linked looks again only ten seconds later.
    await waitFor(async () => /master_link_status:up/.test(await toReplica.info('replication')));
    toReplica.disconnect();
    const sentinel = await startSentinel(binary, [
      `sentinel monitor ${NAME} ${master.host} ${master.port} 1`,
      `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
      `sentinel failover-timeout ${NAME} 3000`,
    ]);
    await sentinel.ears.subscribe('+switch-master');
    const switched = once(sentinel.ears, 'message').then(now);
    const servers = new WatchedServers(master, replica, sentinel, switched);
    const replicas = (): Promise<unknown> => sentinel.admin.call('SENTINEL', 'REPLICAS', NAME);
    await waitFor(async () => ((await replicas()) as unknown[]).length === 1);
    return servers;
  }

  get options() {
    return { name: NAME, sentinels: [{ host: '127.0.0.1', port: this.sentinel.port }] };
  }

  async stop(): Promise<void> {
    const { admin, ears, child } = this.sentinel;
    admin.disconnect();
    ears.disconnect();
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    await Promise.all([this.master.stop(), this.replica.stop()]);
  }
}

async function startSentinel({ binary, libraryPath }: Binary, lines: readonly string[]) {
  const port = await freePort();
  const folder = await mkdtemp(join(process.env[PASSED_ON.runFolder]!, 'server-'));
  const file = join(folder, 'sentinel.conf');
  const own = [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, `pidfile ${folder}/pid`];
  await writeFile(file, [...own, ...lines, ''].join('\n'));
  const env = libraryPath ? { ...process.env, LD_LIBRARY_PATH: libraryPath } : process.env;
  const child = spawn(binary, [file, '--sentinel'], { stdio: 'ignore', env });
  const admin = new Redis(port, '127.0.0.1', {
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
  });
  const ears = admin.duplicate();
  for (const client of [admin, ears]) client.on('error', () => undefined);
  await admin.ping();
  return { child, port, admin, ears };
}
