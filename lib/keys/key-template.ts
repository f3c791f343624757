import { CacheOptionsError } from '../common/errors.js';

/**
 * A key with placeholders: `'user:{params.id}'`; `{{` and `}}` are literal braces. Parsed once, at decoration.
 *
 * Different values never render the same text. Reading from the left, a value ends where the literal behind it begins; so
 * in every value that another placeholder follows, the first character of that literal, and `\`, get a `\` in front. The
 * last value ends with the text and stands as it is: `'user:{0.id}'` with 7 is the key `'user:7'`, whatever the id holds.
 * (A value and the text that it renders as are the same: 7 and '7'.)
 */
export interface KeyTemplate {
  readonly text: string;
  /** One path for each placeholder, in the order of the text: `[['params', 'id']]`. */
  readonly paths: readonly (readonly string[])[];
  /** The key, or undefined if a value is missing: it is no string, finite number, bigint or boolean, or the key would be ''. */
  render(lookup: (path: readonly string[]) => unknown): string | undefined;
}

/** A literal brace, a placeholder, text without braces, or a brace that is none of these. */
const TOKEN = /\{\{|\}\}|\{([^{}]*)\}|[^{}]+|[{}]/g;
const PATH = /^[^.\s]+(\.[^.\s]+)*$/;

const SYNTAX =
  "text with placeholders like 'user:{params.id}', text that does not begin with \\ between two of them; {{ and }} are literal braces";

/** Throws `CacheOptionsError` for bad syntax, and for two placeholders with nothing between them that ends the first one's value. */
export function parseKeyTemplate(text: string): KeyTemplate {
  const literals = [''];
  const paths: string[][] = [];
  for (const [token, path] of text.matchAll(TOKEN)) {
    if (path !== undefined) {
      if (!PATH.test(path)) throw badSyntax(text, `the placeholder {${path}}`);
      if (paths.length > 0 && !/^[^\\]/.test(literals.at(-1)!))
        throw badSyntax(text, `no text, or one that begins with \\, in front of {${path}}`);
      paths.push(path.split('.'));
      literals.push('');
    } else if (token === '{' || token === '}') throw badSyntax(text, `a lone ${token}`);
    else literals.push(literals.pop()! + (token === '{{' || token === '}}' ? token[0]! : token));
  }
  if (text === '') throw badSyntax(text, 'nothing');
  return new ParsedTemplate(text, paths, literals);
}

class ParsedTemplate implements KeyTemplate {
  constructor(
    readonly text: string,
    readonly paths: readonly (readonly string[])[],
    /** One more than there are paths: before, between and behind them. */
    private readonly literals: readonly string[],
  ) {}

  render(lookup: (path: readonly string[]) => unknown): string | undefined {
    let key = this.literals[0]!;
    for (const [i, path] of this.paths.entries()) {
      const value = textOf(lookup(path));
      if (value === undefined) return undefined;
      const behind = this.literals[i + 1]!;
      const isLast = i === this.paths.length - 1;
      key += (isLast ? value : escape(value, behind[0]!)) + behind;
    }
    return key === '' ? undefined : key;
  }
}

function textOf(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
      return Number.isFinite(value) ? String(value) : undefined;
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      return undefined;
  }
}

function escape(value: string, separator: string): string {
  if (!value.includes(separator) && !value.includes('\\')) return value;
  return value.replaceAll('\\', '\\\\').replaceAll(separator, `\\${separator}`);
}

function badSyntax(text: string, problem: string): CacheOptionsError {
  return new CacheOptionsError('a key template', [
    { path: 'key', given: `${problem} in '${text.slice(0, 100)}'`, accepted: SYNTAX },
  ]);
}
