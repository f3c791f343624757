import type { Redis } from 'ioredis';
import type { Clock, TimerHandle } from '../common/clock.js';

const LOOK_MS = 250;
const SILENT_MS = 1_000;

export interface SilenceOptions {
  readonly clock: Clock;
  /** The longest that a call may take: so long at least a server may say nothing. */
  readonly answerMs?: number;
}

/**
 * Gives up each connection of a client on which nothing arrives for a second, or the time of a call where that is longer, although commands wait for answers: its server is
 * frozen or cut off, which keep-alive does not notice, for a kernel still answers. The client then makes another one.
 *
 * Time is counted in looks, each a timer that is set when the one before has run. So a standstill of this process is one
 * look, however long, and between two of them sockets are read; a plain timer would take our own busy second for the server's.
 */
export function giveUpWhenSilent(client: Redis, options: SilenceOptions): void {
  client.on('connect', () => watch(client, options));
}

/** One timer, until the connection ends. */
function watch(client: Redis, { clock, answerMs = 0 }: SilenceOptions): void {
  const { stream } = client;
  const silentMs = Math.max(SILENT_MS, answerMs);
  // One more: the time is that between the first and the last of them.
  const mostLooks = Math.ceil(silentMs / LOOK_MS) + 1;
  let timer: TimerHandle;
  let silentLooks = 0;
  const look = (): void => {
    silentLooks = client.commandQueue.length === 0 ? 0 : silentLooks + 1;
    // What has arrived since sockets were last read is still to be heard.
    if (silentLooks >= mostLooks) setImmediate(giveUp);
    timer = clock.setTimer(LOOK_MS, look);
  };
  const giveUp = (): void => {
    if (silentLooks < mostLooks) return;
    const { length } = client.commandQueue;
    stream.destroy(
      new Error(`nothing was answered for ${silentMs} ms, and ${length} commands wait`),
    );
  };
  timer = clock.setTimer(LOOK_MS, look);
  stream.on('data', () => (silentLooks = 0)).once('close', () => clock.clearTimer(timer));
}
