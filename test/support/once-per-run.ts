import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PASSED_ON } from './start-server.js';
import { waitFor } from './wait-for.js';

/** Several containers on a busy machine, started by another worker. */
const STARTED_WITHIN_MS = 60_000;

/**
 * What `start` gives, started by the first of all workers that asks for it; it ends with the run. Each test file has a
 * memory of its own, and each worker; what they share is the run's folder.
 */
export async function oncePerRun<T>(name: string, start: () => Promise<T>): Promise<T> {
  const file = join(process.env[PASSED_ON.runFolder]!, `${name}.json`);
  const lock = `${file}.lock`;
  try {
    await (await open(lock, 'wx')).close();
  } catch {
    return (await waitFor(() => readJson<T>(file), { timeoutMs: STARTED_WITHIN_MS }))!;
  }
  try {
    const started = await start();
    await writeFile(`${file}.part`, JSON.stringify(started));
    await rename(`${file}.part`, file);
    return started;
  } catch (error) {
    await rm(lock);
    throw error;
  }
}

async function readJson<T>(file: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T;
  } catch {
    return undefined; // not there yet
  }
}
