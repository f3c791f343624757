import { CacheOptionsError, isCacheError, type OptionProblem } from '../common/errors.js';
import { encodeKey, type Key, type KeyPart } from '../keys/encode-key.js';
import { parseKeyTemplate, type KeyTemplate } from '../keys/key-template.js';

/** A key as a decorator takes it: a literal, a template, an array of both, or a function. */
export type KeyOption<Args extends readonly unknown[]> = Key | ((...args: Args) => unknown);

type Lookup = (path: readonly string[]) => unknown;

/** A key option made ready at decoration. */
export interface KeySource<Args extends readonly unknown[]> {
  /** What its templates name; nothing for a function. */
  readonly paths: readonly (readonly string[])[];
  /** A function, which gives whatever it likes: it is not checked here. */
  readonly isComputed: boolean;
  /** Undefined: a value is missing, and there is no key. */
  of(lookup: Lookup, args: Args): unknown;
}

/** Throws `CacheOptionsError` for a bad key, a bad template, and a placeholder that begins with none of `roots`. */
export function compileKey<Args extends readonly unknown[]>(
  option: KeyOption<Args>,
  roots: readonly string[],
): KeySource<Args> {
  if (typeof option === 'function')
    return { paths: [], isComputed: true, of: (_, args) => option(...args) };
  if (!Array.isArray(option)) {
    const template = compileTemplate(option as string, roots);
    return { paths: template.paths, isComputed: false, of: (lookup) => template.render(lookup) };
  }
  checkLiteral(option);
  const parts = option.map((part: KeyPart) =>
    typeof part === 'string' && part !== '' ? compileTemplate(part, roots) : part,
  );
  return {
    paths: parts.flatMap((part) => (isTemplate(part) ? part.paths : [])),
    isComputed: false,
    of: (lookup) => {
      const key = parts.map((part) => (isTemplate(part) ? part.render(lookup) : part));
      return key.includes(undefined) ? undefined : key;
    },
  };
}

function isTemplate(part: KeyPart | KeyTemplate): part is KeyTemplate {
  return typeof part === 'object' && part !== null;
}

/** Throws `CacheOptionsError` for bad syntax, and for a placeholder that begins with none of `roots`. */
export function compileTemplate(text: string, roots: readonly string[]): KeyTemplate {
  const template = parseKeyTemplate(text);
  const accepted = roots.map((root) => (root === 'result' ? '{result…}' : `{${root}.…}`));
  const problems = template.paths
    .filter(([root, ...rest]) => !roots.includes(root!) || (rest.length === 0 && root !== 'result'))
    .map((path): OptionProblem => ({
      path: 'key',
      given: `the placeholder {${path.join('.')}} in '${text.slice(0, 100)}'`,
      accepted: accepted.join(', '),
    }));
  if (problems.length > 0) throw new CacheOptionsError('a key template', problems);
  return template;
}

function checkLiteral(key: Key): void {
  try {
    encodeKey(key);
  } catch (error) {
    if (!isCacheError(error)) throw error;
    throw new CacheOptionsError('a key', [
      {
        path: 'key',
        given: error.message.split(';')[0]!,
        accepted: 'a key, a template or a function',
      },
    ]);
  }
}
