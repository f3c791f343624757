import { oncePerRun } from './once-per-run.js';
import { startServer } from './start-server.js';

const COUNT = 3;

let urls: Promise<readonly string[]> | undefined;

/**
 * The run's three servers of a sharded cache, started by whoever asks first and ended with the run. Shared like the one
 * server: use keys of your own, never FLUSHALL, and leave them running.
 */
export function shardUrls(): Promise<readonly string[]> {
  return (urls ??= oncePerRun('shards', async () => {
    const servers = await Promise.all(Array.from({ length: COUNT }, () => startServer()));
    return servers.map(({ url }) => url);
  }));
}
