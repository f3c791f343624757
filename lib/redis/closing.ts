import type { Redis } from 'ioredis';
import { deferred } from '../common/async.js';
import type { Clock } from '../common/clock.js';

/** As long as any call may take by default. What was to be done has been done before. */
const QUIT_MS = 300;
/** For a closed socket's last bytes. The client keeps the process alive for so long. */
export const DISCONNECT_MS = 100;

/** Ends a client of ours in whatever state it is, and leaves no handle behind. */
export async function closeConnection(client: Redis, clock: Clock): Promise<void> {
  if (client.status === 'ready') await within(QUIT_MS, clock, quit(client));
  await dropConnection(client, clock);
}

/** The same without a word to the server. */
export async function dropConnection(client: Redis, clock: Clock): Promise<void> {
  if (client.status === 'end') return;
  const ended = new Promise<void>((resolve) => client.once('end', resolve));
  client.disconnect();
  // Without this a socket that is still connecting, or whose server hangs, would be waited for.
  client.stream?.destroy();
  // A client between two attempts ends without saying so; its last timer is then the disconnect timeout.
  await within((client.options.disconnectTimeout ?? DISCONNECT_MS) + 10, clock, ended);
}

async function quit(client: Redis): Promise<void> {
  await client.quit().catch(() => undefined);
}

async function within(ms: number, clock: Clock, promise: Promise<void>): Promise<void> {
  const late = deferred<void>();
  const timer = clock.setTimer(ms, () => late.resolve());
  await Promise.race([promise, late.promise]);
  clock.clearTimer(timer);
}
