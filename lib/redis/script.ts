import { createHash } from 'node:crypto';

/** What an argument of a script may be; a number must be finite and is sent in decimals. */
export type ScriptValue = string | number | Buffer;

export interface ScriptDefinition<
  Arg extends string,
  Reply extends string,
  Shared extends string = never,
> {
  name: string;
  /** Names of the arguments, in any order: each is a local of the script. All arrive as strings. */
  args: readonly Arg[];
  /** Of those that are the same for all keys of a command. */
  shared?: readonly Shared[];
  /** What the script answers: each is a constant in capitals. It returns one, or a list that begins with one. */
  replies: readonly Reply[];
  /** Lua that runs once per command, before the first step: above all functions, which know `key` and the arguments of the step. */
  helpers?: string;
  /** Lua of a step. */
  lua: string;
  /** Sent twice it would do harm: then it is not, and rejects where nobody knows whether it was carried out. */
  once?: true;
}

/**
 * A step on exactly one key, which it knows as `key`, in Lua. A command may have several keys: then the step is taken for each,
 * in their order, and one that fails leaves the others alone. It must do no harm when it is sent twice, or be for `once`.
 */
export interface Script<
  Arg extends string,
  Reply extends string,
  Shared extends string = never,
> extends ScriptDefinition<Arg, Reply, Shared> {
  readonly shared: readonly Shared[];
  /** The whole text as Redis gets it. */
  readonly source: string;
  readonly sha: string;
}

/** In the place of a reply: the step has failed, and why is behind it. */
export const FAILED = -1;

/** Names of arguments and replies become the head of the script, so that it cannot differ from what is sent. */
export function defineScript<
  const Arg extends string,
  const Reply extends string,
  const Shared extends string = never,
>(definition: ScriptDefinition<Arg, Reply, Shared>): Script<Arg, Reply, Shared> {
  const { args, shared = [], replies, helpers = '', lua } = definition;
  const own = args.map((_, i) => `, ARGV[at + ${i + 1}]`).join('');
  const source = [
    locals(shared, (i) => `ARGV[${i + 1}]`),
    locals(replies.map(constantName), String),
    `local ${['key', ...args].join(', ')}`,
    helpers,
    `local function step()
${lua}
end
local function take(i)
  local at = ${shared.length} + ${args.length} * (i - 1)
  ${['key', ...args].join(', ')} = KEYS[i]${own}
  return step()
end
if #KEYS == 1 then return take(1) end
local answers, failed, cause = {}, 0, ''
for i = 1, #KEYS do
  local taken, answer = pcall(take, i)
  if not taken then
    failed, cause = failed + 1, type(answer) == 'table' and answer.err or answer
    answer = { ${FAILED}, cause }
  end
  answers[i] = answer
end
if failed == #KEYS then return redis.error_reply(cause) end
return answers`,
  ]
    .filter(Boolean)
    .join('\n');
  return { ...definition, shared, source, sha: createHash('sha1').update(source).digest('hex') };
}

function locals(names: readonly string[], valueOf: (index: number) => string): string {
  return names.length === 0
    ? ''
    : `local ${names.join(', ')} = ${names.map((_, i) => valueOf(i)).join(', ')}`;
}

function constantName(reply: string): string {
  return reply.toUpperCase();
}
