import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Janitor } from './janitor.ts';
import { MissingRedisError, startByFirstWay } from './provision.ts';
import { untilReady } from './ready.ts';
import type { Launcher } from './server.ts';
import { PASSED_ON } from './start-server.ts';

declare global {
  /** From jest's global setup to its teardown. */
  var testRun: { janitor: Janitor; folder: string; launcher?: Launcher } | undefined;
}

/** A server that was named by its URL and does not answer by then is taken for down. */
const GIVEN_SERVER_TIMEOUT_MS = 3000;

/** Provides the run's shared server and the means to start more; says in one line which way that went. */
export default async function globalSetup(_: unknown, { rootDir }: { rootDir: string }) {
  const begin = performance.now();
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-redis-cache-'));
  process.env[PASSED_ON.runFolder] = folder;
  globalThis.testRun = { janitor: new Janitor(folder), folder };

  const { url, way } = givenUrl() ? await useGivenServer(rootDir) : await startOwnServer(rootDir);
  const version = await untilReady(url, GIVEN_SERVER_TIMEOUT_MS);
  process.env[PASSED_ON.url] = url;
  const tookMs = Math.round(performance.now() - begin);
  console.log(`\n${version} for the tests: ${way}, ready in ${tookMs} ms`);
}

function givenUrl(): string | undefined {
  const provider = process.env.TEST_REDIS_PROVIDER ?? 'env';
  return provider === 'env' && !process.env.TEST_REDIS_BINARY ? process.env.REDIS_URL : undefined;
}

async function startOwnServer(rootDir: string): Promise<{ url: string; way: string }> {
  const { launcher, server } = await startByFirstWay(rootDir);
  passOn(launcher);
  return { url: server.url, way: `${describe(launcher)}, port ${server.port}` };
}

/** Tests that freeze or kill a server start their own by the next way, if there is one. */
async function useGivenServer(rootDir: string): Promise<{ url: string; way: string }> {
  const url = givenUrl()!;
  await untilReady(url, GIVEN_SERVER_TIMEOUT_MS).catch((error: Error) => {
    const { host } = new URL(url);
    throw new MissingRedisError(`REDIS_URL names ${host}, which does not answer: ${error.message}`);
  });
  try {
    const { launcher, server } = await startByFirstWay(rootDir);
    await server.stop();
    passOn(launcher);
    return { url, way: `REDIS_URL, further servers by ${describe(launcher)}` };
  } catch (error) {
    process.env[PASSED_ON.launcherProblem] = (error as Error).message;
    return { url, way: 'REDIS_URL, and no way to start further servers' };
  }
}

function passOn(launcher: Launcher): void {
  globalThis.testRun!.launcher = launcher;
  process.env[PASSED_ON.launcher] = JSON.stringify(launcher);
}

function describe(launcher: Launcher): string {
  if (launcher.way === 'docker') return `Docker image ${launcher.image}`;
  return launcher.way === 'package' ? "the distribution's package" : launcher.binary;
}
