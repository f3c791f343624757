import type { Redis } from 'ioredis';
import type { RedisClient } from './topology.js';

const UNANSWERED = 'connect ETIMEDOUT';
const UNFOUND = 'the cluster was not found: its nodes cannot be looked up, or do not answer';
const UNWELL =
  'the cluster was found and is not well: cluster_state is fail, or no node has slots (see CLUSTER INFO)';

/**
 * Calls `tell` when a connection was closed before it was ready, of which the client says nothing: a server has closed it that
 * perhaps expects TLS, or a cluster was not found, or is not well. The client has to have a listener to errors. Returns what ends it.
 */
export function hearUnreadyClose(client: RedisClient, tell: (why: Error) => void): () => void {
  // Until the next attempt, of which everything is heard.
  let isExplained = true;
  let isFound = false;
  const begin = (): void => void (isExplained = isFound = false);
  const found = (): void => {
    isFound = true;
    // Also where the client began before anybody listened.
    isExplained = false;
  };
  const explain = (): void => void (isExplained = true);
  // What is closed by us is not connected again.
  const again = (): void => {
    if (isExplained) return;
    const why = client.isCluster ? (isFound ? UNWELL : UNFOUND) : whyClosed(client as Redis);
    if (why !== undefined) tell(new Error(why));
  };
  const ended = { ready: explain, error: explain, reconnecting: again };
  const heard = { connecting: begin, connect: found, ...ended };
  for (const [event, listener] of Object.entries(heard)) client.on(event, listener);
  return () => {
    for (const [event, listener] of Object.entries(heard)) client.off(event, listener);
  };
}

function whyClosed({ options, stream }: Redis): string | undefined {
  // By the client itself, which leaves what Sentinel takes for a master and is none.
  if (options.sentinels) return undefined;
  // A server that has said anything does not wait for TLS, and has perhaps said why: too many clients, protected mode.
  const isMute = (stream as Redis['stream'] | undefined)?.bytesRead === 0 && !options.tls;
  const perhaps = isMute ? '; does it want TLS (rediss://)?' : '';
  return `the server closed the connection before it was ready${perhaps}`;
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

/**
 * Leaves a server that refuses the database: the client would go on with database 0, where the entries of others may be. To be
 * called before others listen to the client's errors, of which they take the command.
 */
export function leaveWithoutDatabase(client: Redis): void {
  let refusal: string | undefined;
  client.on('connecting', () => (refusal = undefined));
  client.on('error', (error: Error & { command?: { name: string } }) => {
    if (error.command?.name === 'select') {
      refusal = error.message;
      client.stream.destroy();
    } else if (refusal !== undefined) {
      // The client goes on with a connection that is none any more, and says so.
      error.message = refusal;
    }
  });
}
