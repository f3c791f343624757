import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Janitor } from '../test/support/janitor.js';
import { MissingRedisError, startByFirstWay } from '../test/support/provision.js';
import { untilReady } from '../test/support/ready.js';
import { PASSED_ON } from '../test/support/start-server.js';

/** The Redis of the demo: the one at REDIS_URL, or one that is started as the tests start theirs. */
export interface DemoRedis {
  url: string;
  /** Its version and whose it is, for people. */
  description: string;
  /** Ends what was started. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 3000;

export async function openRedis(): Promise<DemoRedis> {
  const url = process.env.REDIS_URL;
  return url ? useGiven(url) : startOwn();
}

async function useGiven(url: string): Promise<DemoRedis> {
  try {
    const version = await untilReady(url, READY_TIMEOUT_MS);
    return { url, description: `${version} at REDIS_URL`, stop: async () => undefined };
  } catch (error) {
    throw new Error(
      `The Redis that REDIS_URL names does not answer (${(error as Error).message}). Start it, or unset REDIS_URL.`,
      { cause: error },
    );
  }
}

async function startOwn(): Promise<DemoRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-redis-cache-'));
  process.env[PASSED_ON.runFolder] = folder;
  // Ends the server also where this process is killed.
  const janitor = new Janitor(folder);
  try {
    const { server } = await startByFirstWay(process.cwd());
    const version = await untilReady(server.url, READY_TIMEOUT_MS);
    const stop = async (): Promise<void> => {
      await server.stop();
      await janitor.sweep();
    };
    return { url: server.url, description: `${version}, started for the demo`, stop };
  } catch (error) {
    await janitor.sweep();
    throw error instanceof MissingRedisError ? new Error(missing(error), { cause: error }) : error;
  }
}

function missing({ message }: MissingRedisError): string {
  const tried = message.slice(message.indexOf('What was tried'));
  return `The demo needs Redis or Valkey, 7.0 or newer, and found no way to start one. Any of these is enough:
  * a running Docker engine
  * redis-server or valkey-server on the PATH (apt-get install redis-server, brew install redis)
  * REDIS_URL=redis://host:port of a server that may be written to
${tried}`;
}
