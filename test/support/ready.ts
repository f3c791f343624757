import { Redis } from 'ioredis';

/**
 * Resolves with the version once the server at `url` answers, at most `timeoutMs` later. `signal` gives up earlier, for
 * a server that has already ended.
 */
export async function untilReady(
  url: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<string> {
  const client = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: null,
    retryStrategy: () => 20,
    connectTimeout: timeoutMs,
    disconnectTimeout: 10,
  });
  let lastError = new Error('no answer');
  client.on('error', (error) => (lastError = error));
  const deadline = AbortSignal.timeout(timeoutMs);
  const giveUp = signal ? AbortSignal.any([signal, deadline]) : deadline;
  try {
    return await new Promise<string>((resolve, reject) => {
      giveUp.addEventListener('abort', () => reject(lastError), { once: true });
      client.info('server').then((text) => resolve(versionOf(text)), reject);
    });
  } finally {
    client.disconnect();
  }
}

/** Valkey names its own version beside the one of Redis that it is compatible with. */
function versionOf(info: string): string {
  const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1];
  const redis = /^redis_version:(\S+)/m.exec(info)?.[1] ?? 'of unknown version';
  return valkey ? `Valkey ${valkey}` : `Redis ${redis}`;
}
