import type { ScriptValue } from '../redis/script.js';

/** Values in one command, or one value that is larger: while a server takes them in it does nothing else. */
const MOST_BYTES = 65_536;

/** Steps in their order, in portions each small enough for one command. */
export function* commandsOf<S extends { readonly values: Record<string, ScriptValue> }>(
  steps: readonly S[],
): Generator<S[]> {
  let portion: S[] = [];
  let bytes = 0;
  for (const step of steps) {
    const more = bytesOf(step);
    if (portion.length > 0 && bytes + more > MOST_BYTES) {
      yield portion;
      portion = [];
      bytes = 0;
    }
    portion.push(step);
    bytes += more;
  }
  yield portion;
}

/** Nothing else that a script is given is large. */
function bytesOf({ values }: { readonly values: Record<string, ScriptValue> }): number {
  const { record } = values;
  return Buffer.isBuffer(record) ? record.length : 0;
}
