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

/**
 * Runs a script by its hash, and by its text where the server does not have it. Arguments and answers are binary safe. In
 * a cluster the client routes it by its key. The client's own `defineCommand` is not used: it repeats a command outside
 * its timer, and on a cluster remembers per socket what it has loaded.
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
  let answer: unknown;
  try {
    answer = await send('evalsha', script.sha);
  } catch (error) {
    if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
    answer = await send('eval', script.source);
  }
  const [code, ...details] = Array.isArray(answer) ? (answer as unknown[]) : [answer];
  // A client with `stringNumbers` gives them as text.
  const reply = script.replies[Number(code)];
  if (reply === undefined) throw new Error(`script ${script.name} gave an unknown answer`);
  return { reply, details };
}
