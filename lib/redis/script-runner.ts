import { ReplyError, type Cluster, type Redis } from 'ioredis';
import { hashSlot } from '../keys/hash-slot.js';
import { isReply } from '../resilience/redis-failure.js';
import { masterNamed, ownerOf } from './cluster-nodes.js';
import { FlatCommand } from './flat-command.js';
import { sendOnce } from './send-once.js';
import { FAILED, type Script, type ScriptValue } from './script.js';
import type { RedisClient } from './topology.js';

/** What a script answered: the name of the reply, and what came after it. Strings are Buffers. */
export interface ScriptAnswer<Reply extends string> {
  reply: Reply;
  details: readonly unknown[];
}

/** The hashes of the scripts whose text has been sent over a socket; of a client that has none yet, over any. */
const sentOver = new WeakMap<object, Set<string>>();

/** Runs a script on one key. */
export async function runScript<Arg extends string, Reply extends string, Shared extends string>(
  client: RedisClient,
  script: Script<Arg, Reply, Shared>,
  key: string,
  values: Record<Arg | Shared, ScriptValue>,
): Promise<ScriptAnswer<Reply>> {
  const as = (answer: ScriptAnswer<Reply>): ScriptAnswer<Reply> => answer;
  const [answer] = await runSteps(client, script, [{ key, values, as }], values);
  return (answer as PromiseFulfilledResult<ScriptAnswer<Reply>>).value;
}

/** One step of a script: a key, its arguments, and what is made of its answer. */
export interface ScriptStep<Arg extends string, Reply extends string, T> {
  readonly key: string;
  readonly values: Record<Arg, ScriptValue>;
  readonly as: (answer: ScriptAnswer<Reply>) => T;
}

/**
 * Runs a script on one key or several in one command; in a cluster on one, since it refuses several when one is about to move. The
 * answer, or error, of each step; rejects where all have failed.
 */
export async function runSteps<Arg extends string, Reply extends string, Shared extends string, T>(
  client: RedisClient,
  script: Script<Arg, Reply, Shared>,
  steps: readonly ScriptStep<Arg, Reply, T>[],
  shared: Record<Shared, ScriptValue>,
): Promise<PromiseSettledResult<T>[]> {
  const keys = steps.map(({ key }) => key);
  const argv = script.shared.map((name) => textOf(shared[name]));
  for (const { values } of steps) for (const name of script.args) argv.push(textOf(values[name]));
  const answer = await send(client, script, keys, argv);
  const answers = steps.length === 1 ? [answer] : (answer as unknown[]);
  return answers.map((answer, i) =>
    Array.isArray(answer) && Number(answer[0]) === FAILED
      ? { status: 'rejected', reason: new ReplyError(String(answer[1])) }
      : { status: 'fulfilled', value: steps[i]!.as(answerOf(script, answer)) },
  );
}

/**
 * Sends a script by its text for the first time on each connection, so that one round trip does, and then by its hash; by its text
 * again where the server does not have it: it has forgotten it, or a slot has moved to one that never had it.
 *
 * Arguments and answers are binary safe. In a cluster the client routes it by its key. The client's own `defineCommand` is
 * not used: it repeats a command outside its timer, and cannot tell where a cluster sends it.
 */
async function send(
  client: RedisClient,
  script: Script<string, string, string>,
  keys: readonly string[],
  argv: readonly (string | Buffer)[],
): Promise<unknown> {
  const command = (name: 'evalsha' | 'eval', text: string): Promise<unknown> => {
    // Not a literal, for the reason of `Stored` in `cache/flights.ts`: the values of a batch are in it.
    const args = [text, String(keys.length) as string | Buffer].concat(keys, argv);
    return script.once
      ? sendOnce(client, name, args)
      : (client.sendCommand(new FlatCommand(name, args)) as Promise<unknown>);
  };
  const sent = sentFor(client, keys[0]!);
  const isFirst = !sent.has(script.sha);
  sent.add(script.sha);
  try {
    return await (isFirst ? command('eval', script.source) : command('evalsha', script.sha));
  } catch (error) {
    // Perhaps it never was.
    if (!isReply(error)) sent.delete(script.sha);
    if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
    return command('eval', script.source);
  }
}

const textOf = (value: ScriptValue): string | Buffer =>
  typeof value === 'number' ? String(value) : value;

function answerOf<Reply extends string>(
  script: Script<string, Reply, string>,
  answer: unknown,
): ScriptAnswer<Reply> {
  const list = Array.isArray(answer) ? (answer as unknown[]) : undefined;
  // A client with `stringNumbers` gives them as text.
  const reply = script.replies[Number(list ? list[0] : answer)];
  if (reply === undefined) throw new Error(`script ${script.name} gave an unknown answer`);
  return { reply, details: list?.slice(1) ?? NOTHING_MORE };
}

const NOTHING_MORE: readonly unknown[] = [];

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
