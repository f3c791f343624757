import type { Redis } from 'ioredis';
import type { Clock, TimerHandle } from '../common/clock.js';

const LOOK_MS = 250;
/** Between the first and the last of them is a second. */
const SILENT_LOOKS = 5;

/**
 * Gives up each connection of a client on which nothing arrives for a second although commands wait for answers: its server is
 * frozen or cut off, which keep-alive does not notice, for a kernel still answers. The client then makes another one.
 *
 * Time is counted in looks, each a timer that is set when the one before has run. So a standstill of this process is one
 * look, however long, and between two of them sockets are read; a plain timer would take our own busy second for the server's.
 */
export function giveUpWhenSilent(client: Redis, clock: Clock): void {
  client.on('connect', () => watch(client, clock));
}

/** One timer, until the connection ends. */
function watch(client: Redis, clock: Clock): void {
  const { stream } = client;
  let timer: TimerHandle;
  let silentLooks = 0;
  const look = (): void => {
    silentLooks = client.commandQueue.length === 0 ? 0 : silentLooks + 1;
    // What has arrived since sockets were last read is still to be heard.
    if (silentLooks >= SILENT_LOOKS) setImmediate(giveUp);
    timer = clock.setTimer(LOOK_MS, look);
  };
  const giveUp = (): void => {
    if (silentLooks < SILENT_LOOKS || stream.destroyed) return;
    const { length } = client.commandQueue;
    stream.destroy(new Error(`nothing was answered for a second, and ${length} commands wait`));
  };
  timer = clock.setTimer(LOOK_MS, look);
  stream.on('data', () => (silentLooks = 0)).once('close', () => clock.clearTimer(timer));
}
