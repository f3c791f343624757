import { CacheOptionsError, isCacheError, type OptionProblem } from '../common/errors.js';
import { encodeKey, type Key, type KeyPart } from './encode-key.js';
import { parseKeyTemplate, type KeyTemplate } from './key-template.js';

/** A key as a decorator takes it: a literal, a template, an array of both, or a function. */
export type KeyOption = Key | ((...args: any[]) => unknown);

/** What there is to make a key of, in one call. */
export interface Given {
  /** The value of a placeholder; undefined: there is none. */
  lookup(path: readonly string[]): unknown;
  /** What a function gives for it. */
  call(fn: (...args: any[]) => unknown): unknown;
}

/** A key option made ready at decoration. */
export interface KeySource {
  /** What its templates name; nothing for a function. */
  readonly paths: readonly (readonly string[])[];
  /** As it stands in the code; undefined: a function. */
  readonly written?: Key;
  /** A function, which gives whatever it likes: it is not checked here. */
  readonly computed?: (...args: any[]) => unknown;
  /** Undefined: a value is missing, and there is no key. */
  of(given: Given): unknown;
}

/** What placeholders may begin with; this one stands for every number: `{0}`, `{1.id}`. */
export const ARGUMENT = '0';

/** Throws `CacheOptionsError` for a bad key, a bad template, and a placeholder that begins with none of `roots`. */
export function compileKey(option: KeyOption, roots: readonly string[]): KeySource {
  if (typeof option === 'function')
    return { paths: [], computed: option, of: ({ call }) => call(option) };
  if (!Array.isArray(option)) {
    const template = compileTemplate(option as string, roots);
    return { written: option, paths: template.paths, of: ({ lookup }) => template.render(lookup) };
  }
  checkLiteral(option);
  const parts = option.map((part: KeyPart) =>
    typeof part === 'string' && part !== '' ? compileTemplate(part, roots) : part,
  );
  return {
    written: option,
    paths: parts.flatMap((part) => (isTemplate(part) ? part.paths : [])),
    of: ({ lookup }) => {
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
  const problems = template.paths
    .filter((path) => !isAmong(roots, path))
    .map((path): OptionProblem => ({
      path: 'key',
      given: `the placeholder {${path.join('.')}} in '${text.slice(0, 100)}'`,
      accepted: roots.map(exampleOf).join(', '),
    }));
  if (problems.length > 0) throw new CacheOptionsError('a key template', problems);
  return template;
}

export const isArgument = (root: string | undefined): boolean => /^\d+$/.test(root!);

/** Arguments and a result may be values by themselves. */
function isAmong(roots: readonly string[], [root, ...rest]: readonly string[]): boolean {
  if (isArgument(root)) return roots.includes(ARGUMENT);
  return roots.includes(root!) && (rest.length > 0 || root === 'result');
}

function exampleOf(root: string): string {
  if (root === ARGUMENT) return '{0…}';
  return root === 'result' ? '{result…}' : `{${root}.…}`;
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
