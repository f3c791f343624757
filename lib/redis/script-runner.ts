import type { Cluster, Redis } from 'ioredis';
import { hashSlot } from '../keys/hash-slot.js';
import { isReply } from '../resilience/redis-failure.js';
import { masterNamed, ownerOf } from './cluster-nodes.js';
import { sendOnce } from './send-once.js';
import type { Script, ScriptValue } from './script.js';
import type { RedisClient } from './topology.js';

/** What a script answered: the name of the reply, and what came after it. Strings are Buffers. */
export interface ScriptAnswer<Reply extends string> {
  reply: Reply;
  details: readonly unknown[];
}

/** The client has these two; its types do not. `callBuffer` has types, but sends a wrong command when auto-pipelined. */
interface ScriptCommands {
  evalshaBuffer(sha: string, keys: 1, key: string, ...args: ScriptValue[]): Promise<unknown>;
  evalBuffer(source: string, keys: 1, key: string, ...args: ScriptValue[]): Promise<unknown>;
}

/** The hashes of the scripts whose text has been sent over a socket; of a client that has none yet, over any. */
const sentOver = new WeakMap<object, Set<string>>();

/**
 * Runs a script by its text for the first time on each connection, so that one round trip does, and then by its hash; by its text
 * again where the server does not have it: it has forgotten it, or a slot has moved to one that never had it.
 *
 * Arguments and answers are binary safe. In a cluster the client routes it by its key. The client's own `defineCommand` is
 * not used: it repeats a command outside its timer, and cannot tell where a cluster sends it.
 */
export async function runScript<Arg extends string, Reply extends string>(
  client: RedisClient,
  script: Script<Arg, Reply>,
  key: string,
  values: Record<Arg, ScriptValue>,
): Promise<ScriptAnswer<Reply>> {
  const commands = client as unknown as ScriptCommands;
  const args = script.args.map((name) => values[name]);
  const send = (command: 'evalsha' | 'eval', text: string): Promise<unknown> =>
    script.once
      ? sendOnce(client, command, [text, 1, key, ...args])
      : commands[`${command}Buffer`](text, 1, key, ...args);
  const sent = sentFor(client, key);
  const isFirst = !sent.has(script.sha);
  sent.add(script.sha);
  let answer: unknown;
  try {
    answer = await (isFirst ? send('eval', script.source) : send('evalsha', script.sha));
  } catch (error) {
    // Perhaps it never was.
    if (!isReply(error)) sent.delete(script.sha);
    if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
    answer = await send('eval', script.source);
  }
  const [code, ...details] = Array.isArray(answer) ? (answer as unknown[]) : [answer];
  // A client with `stringNumbers` gives them as text.
  const reply = script.replies[Number(code)];
  if (reply === undefined) throw new Error(`script ${script.name} gave an unknown answer`);
  return { reply, details };
}

function sentFor(client: RedisClient, key: string): Set<string> {
  const node = client.isCluster ? masterOf(client as Cluster, key) : (client as Redis);
  const socket = node?.stream ?? client;
  let sent = sentOver.get(socket);
  if (!sent) sentOver.set(socket, (sent = new Set()));
  return sent;
}

function masterOf(cluster: Cluster, key: string): Redis | undefined {
  const owner = ownerOf(cluster, hashSlot(key));
  return owner === undefined ? undefined : masterNamed(cluster, owner);
}
