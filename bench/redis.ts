import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Janitor } from '../test/support/janitor.js';
import { startByFirstWay } from '../test/support/provision.js';
import { untilReady } from '../test/support/ready.js';
import { PASSED_ON } from '../test/support/start-server.js';

/** The Redis that is measured: the one at REDIS_URL, or one that is started as the tests start theirs. */
export interface BenchRedis {
  url: string;
  version: string;
  /** Ends what was started. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 3000;

export async function openRedis(): Promise<BenchRedis> {
  const url = process.env.REDIS_URL;
  if (!url) return startOwn();
  try {
    const version = await versionOf(url);
    return { url, version: `${version} at REDIS_URL`, stop: async () => undefined };
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(
      `The Redis that REDIS_URL names does not answer (${message}). Start it, or unset REDIS_URL.`,
      { cause },
    );
  }
}

async function startOwn(): Promise<BenchRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-redis-cache-'));
  process.env[PASSED_ON.runFolder] = folder;
  // Ends the server also where this process is killed.
  const janitor = new Janitor(folder);
  try {
    const { server, launcher } = await startByFirstWay(process.cwd());
    const stop = async (): Promise<void> => {
      await server.stop();
      await janitor.sweep();
    };
    return { url: server.url, version: `${await versionOf(server.url)} by ${launcher.way}`, stop };
  } catch (error) {
    await janitor.sweep();
    throw error;
  }
}

/** `Redis 8.0.2` is `8.0.2`; `Valkey 8.1.1` stays. */
async function versionOf(url: string): Promise<string> {
  return (await untilReady(url, READY_TIMEOUT_MS)).replace(/^Redis /, '');
}
