import { join } from 'node:path';
import { findBinary } from './binary.ts';
import { unpackDebianPackage } from './debian-package.ts';
import { requireDocker } from './docker-server.ts';
import type { Launcher, TestServer } from './server.ts';
import { launch } from './start-server.ts';

type Way = Launcher['way'];

/** How each way finds its launcher, in the order in which they are tried; a way that cannot be gone throws its reason. */
const WAYS: Record<Way, (rootDir: string) => Promise<Launcher>> = {
  docker: async () => {
    await requireDocker();
    return { way: 'docker', image: process.env.TEST_REDIS_IMAGE ?? 'redis:8-alpine' };
  },
  process: async () => ({ way: 'process', binary: await findBinary() }),
  package: async (rootDir) => ({
    way: 'package',
    ...(await unpackDebianPackage(join(rootDir, '.cache/redis'))),
  }),
};

/** Something that the machine lacks. The message says all there is to know, so jest gets no stack to print. */
export class MissingRedisError extends Error {
  constructor(message: string) {
    super(message);
    this.stack = message;
  }
}

/** The first way that starts a server, with that server. */
export async function startByFirstWay(
  rootDir: string,
): Promise<{ launcher: Launcher; server: TestServer }> {
  const reasons: string[] = [];
  for (const way of waysToTry()) {
    try {
      const launcher = await WAYS[way](rootDir);
      return { launcher, server: await launch(launcher) };
    } catch (error) {
      reasons.push(`  ${way}: ${(error as Error).message}`);
    }
  }
  throw new MissingRedisError(`${HELP}\nWhat was tried:\n${reasons.join('\n')}`);
}

/** A binary that was named is meant: no other way may answer in its place. */
function waysToTry(): Way[] {
  const wanted = process.env.TEST_REDIS_PROVIDER;
  if (wanted && wanted !== 'env') {
    if (wanted in WAYS) return [wanted as Way];
    throw new MissingRedisError(
      `TEST_REDIS_PROVIDER is '${wanted}'; it may be env, ${Object.keys(WAYS).join(', ')}`,
    );
  }
  return process.env.TEST_REDIS_BINARY ? ['process'] : (Object.keys(WAYS) as Way[]);
}

const HELP = `The tests need a Redis or Valkey server, 7.0 or newer, and found no way to start one. Any of these is enough:
  * a running Docker engine
  * redis-server or valkey-server on the PATH (apt-get install redis-server, brew install redis), or TEST_REDIS_BINARY=/path/to/it
  * REDIS_URL=redis://host:port of a server that may be written to; tests that freeze or kill a server still need one of the others`;
