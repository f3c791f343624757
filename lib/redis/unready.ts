import type { Redis } from 'ioredis';

const UNANSWERED = 'connect ETIMEDOUT';

/**
 * Calls `tell` when a server has closed a connection before it was ready, of which the client says nothing: perhaps it expects
 * TLS. The client has to have a listener to errors. Returns what ends it.
 */
export function hearUnreadyClose(client: Redis, tell: (why: Error) => void): () => void {
  // Until the next attempt, of which everything is heard.
  let isExplained = true;
  const begin = (): void => void (isExplained = false);
  const explain = (): void => void (isExplained = true);
  const close = (): void => {
    // Neither by us, nor by the client, which leaves what Sentinel takes for a master and is none.
    if (isExplained || client.status !== 'reconnecting' || client.options.sentinels) return;
    // A server that has said anything does not wait for TLS, and has perhaps said why: too many clients, protected mode.
    const isMute =
      (client.stream as Redis['stream'] | undefined)?.bytesRead === 0 && !client.options.tls;
    const perhaps = isMute ? '; does it want TLS (rediss://)?' : '';
    tell(new Error(`the server closed the connection before it was ready${perhaps}`));
  };
  client.on('connecting', begin).on('ready', explain).on('error', explain).on('close', close);
  return () => {
    client.off('connecting', begin).off('ready', explain).off('error', explain).off('close', close);
  };
}

/** To be called before others listen to the client's errors: of TLS it says no more than that time is over. */
export function nameUnansweredTls(client: Redis): void {
  client.on('error', (error: Error) => {
    const { tls, sentinels, connectTimeout } = client.options;
    if (!tls || sentinels || error.message !== UNANSWERED) return;
    error.message = `the TLS handshake was not answered within ${connectTimeout} ms (${UNANSWERED}); does the server speak TLS?`;
    error.stack = `${error.name}: ${error.message}`;
  });
}
