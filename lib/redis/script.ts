import { createHash } from 'node:crypto';

/** What an argument of a script may be; a number must be finite and is sent in decimals. */
export type ScriptValue = string | number | Buffer;

export interface ScriptDefinition<Arg extends string, Reply extends string> {
  name: string;
  /** Names of the arguments, in any order: each is a local of the script. All arrive as strings. */
  args: readonly Arg[];
  /** What the script answers: each is a constant in capitals. It returns one, or a list that begins with one. */
  replies: readonly Reply[];
  lua: string;
  /** Sent twice it would do harm: then it is not, and rejects where nobody knows whether it was carried out. */
  once?: true;
}

/** A Lua script on exactly one key, which it knows as `key`. It must do no harm when it is sent twice, or be for `once`. */
export interface Script<Arg extends string, Reply extends string> extends ScriptDefinition<
  Arg,
  Reply
> {
  /** The whole text as Redis gets it. */
  readonly source: string;
  readonly sha: string;
}

/** Names of arguments and replies become the head of the script, so that it cannot differ from what is sent. */
export function defineScript<const Arg extends string, const Reply extends string>(
  definition: ScriptDefinition<Arg, Reply>,
): Script<Arg, Reply> {
  const { args, replies, lua } = definition;
  const lines = [
    'local key = KEYS[1]',
    locals(args, (i) => `ARGV[${i + 1}]`),
    locals(replies.map(constantName), String),
    lua,
  ];
  const source = lines.filter(Boolean).join('\n');
  return { ...definition, source, sha: createHash('sha1').update(source).digest('hex') };
}

function locals(names: readonly string[], valueOf: (index: number) => string): string {
  return names.length === 0
    ? ''
    : `local ${names.join(', ')} = ${names.map((_, i) => valueOf(i)).join(', ')}`;
}

function constantName(reply: string): string {
  return reply.toUpperCase();
}
