import { readFileSync } from 'node:fs';

/** A program in a page: a fenced block of `ts` whose first line is `// example: NAME`. */
export interface Example {
  /** `docs/locks.md:40 NAME`. */
  readonly title: string;
  /** The page, below the project. */
  readonly page: string;
  /** Of its first line in the page, counted from 1. */
  readonly line: number;
  readonly name: string;
  readonly code: string;
}

const BLOCK = /^```ts\n(\/\/ example: (.+)\n[^]*?)^```$/gm;

export function findExamples(pages: readonly string[]): Example[] {
  return pages.flatMap((page) => {
    const text = readFileSync(page, 'utf8');
    return [...text.matchAll(BLOCK)].map((match): Example => {
      const line = text.slice(0, match.index).split('\n').length + 1;
      const [, code, name] = match as unknown as [string, string, string];
      return { title: `${page}:${line} ${name}`, page, line, name, code };
    });
  });
}
