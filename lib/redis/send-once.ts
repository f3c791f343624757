import { isReply } from '../resilience/redis-failure.js';
import { FlatCommand } from './flat-command.js';
import type { RedisClient } from './topology.js';

/** Does nothing, and has one answer, as whatever it stands in for. */
const PING = '*1\r\n$4\r\nPING\r\n';

/**
 * Sends a command that must not be carried out twice, and answers with Buffers.
 *
 * Clients send a command again when its connection is lost, and it may have been carried out by then: that of a cluster
 * after 50 ms, that of an application with `autoResendUnfulfilledCommands` after the reconnect. Here it rejects instead. What
 * a server has refused (MOVED, ASK, CLUSTERDOWN) was not carried out, and may be sent elsewhere.
 */
export function sendOnce(
  client: RedisClient,
  name: string,
  args: readonly (string | Buffer)[],
): Promise<unknown> {
  const command = new FlatCommand(name, args);
  const giveUp = command.reject;
  const write = command.toWritable.bind(command);
  let underWay = false;
  const unlessUnderWay =
    (handle: (error: Error) => void) =>
    (error: Error): void => {
      if (underWay && !isReply(error)) return giveUp(error);
      underWay = false;
      handle(error);
    };
  let reject = unlessUnderWay(giveUp);
  // The client of a cluster puts its own in, which decides whether to send again.
  Object.defineProperty(command, 'reject', {
    get: () => reject,
    set: (handle: (error: Error) => void) => {
      reject = unlessUnderWay(handle);
    },
  });
  command.toWritable = (socket) => {
    if (underWay) {
      giveUp(new Error('Connection is closed.'));
      return PING;
    }
    underWay = true;
    return write(socket);
  };
  return client.sendCommand(command) as Promise<unknown>;
}
