import { untilReady } from '../test/support/ready.js';
import type { Servers } from './servers.js';

/** The Redis that is measured: the one at REDIS_URL, or one that is started. */
export interface BenchRedis {
  readonly url: string;
  readonly version: string;
}

const READY_TIMEOUT_MS = 3000;

export async function openRedis(servers: Servers): Promise<BenchRedis> {
  const url = process.env.REDIS_URL;
  if (!url) {
    const way = await servers.findWay();
    const server = await servers.start();
    return { url: server.url, version: `${await versionOf(server.url)} by ${way}` };
  }
  try {
    return { url, version: `${await versionOf(url)} at REDIS_URL` };
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(
      `The Redis that REDIS_URL names does not answer (${message}). Start it, or unset REDIS_URL.`,
      { cause },
    );
  }
}

/** `Redis 8.0.2` is `8.0.2`; `Valkey 8.1.1` stays. */
async function versionOf(url: string): Promise<string> {
  return (await untilReady(url, READY_TIMEOUT_MS)).replace(/^Redis /, '');
}
