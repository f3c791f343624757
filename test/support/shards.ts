import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PASSED_ON, startServer } from './start-server.js';
import { waitFor } from './wait-for.js';

const COUNT = 3;

/** Three containers on a busy machine, started by another worker. */
const STARTED_WITHIN_MS = 30_000;

let urls: Promise<readonly string[]> | undefined;

/**
 * The run's three servers of a sharded cache, started by whoever asks first and ended with the run. Shared like the one
 * server: use keys of your own, never FLUSHALL, and leave them running.
 */
export function shardUrls(): Promise<readonly string[]> {
  return (urls ??= startOnce());
}

/** Each test file has a memory of its own, and each worker; what they share is the run's folder. */
async function startOnce(): Promise<readonly string[]> {
  const file = join(process.env[PASSED_ON.runFolder]!, 'shards.json');
  const lock = `${file}.lock`;
  try {
    await (await open(lock, 'wx')).close();
  } catch {
    return (await waitFor(() => readUrls(file), { timeoutMs: STARTED_WITHIN_MS }))!;
  }
  try {
    const servers = await Promise.all(Array.from({ length: COUNT }, () => startServer()));
    await writeFile(`${file}.part`, JSON.stringify(servers.map(({ url }) => url)));
    await rename(`${file}.part`, file);
  } catch (error) {
    await rm(lock);
    throw error;
  }
  return (await readUrls(file))!;
}

async function readUrls(file: string): Promise<readonly string[] | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as string[];
  } catch {
    return undefined; // not there yet
  }
}
