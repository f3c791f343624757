import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/**
 * The rows of the house, top first: a folder imports only from rows below its own. What is written here and what the
 * linter's configuration says are two statements of one rule, and these tests hold them together.
 */
const ROWS = [
  ['testing', 'cli', 'health', 'prometheus', 'typeorm', 'migration'],
  ['module'],
  ['decorators'],
  ['methods', 'http', 'strategies'],
  ['cache', 'locks', 'regions'],
  ['store', 'tags', 'bus', 'l1'],
  ['redis'],
  ['keys', 'codec', 'resilience', 'observe'],
  ['common'],
];
const FOLDERS = ROWS.flat();
const rowOf = (folder: string): number => ROWS.findIndex((row) => row.includes(folder));

/** Each way in which one file can name another. */
const STATEMENTS: Record<string, (path: string) => string> = {
  value: (path) => `import { x } from '${path}';\nexport const y = x;`,
  type: (path) => `import type { X } from '${path}';\nexport type Y = X;`,
  inline: (path) => `import { type X } from '${path}';\nexport type Y = X;`,
  'side-effect': (path) => `import '${path}';\nexport {};`,
  're-export': (path) => `export { x } from '${path}';`,
  're-export-all': (path) => `export * from '${path}';`,
  dynamic: (path) => `export const load = () => import('${path}');`,
};

interface Diagnostic {
  code: string;
  filename: string;
}

/** A folder of planted files, with the project's own linter configuration. */
class Plantation {
  private constructor(private readonly root: string) {}

  static async create(): Promise<Plantation> {
    const root = await mkdtemp(join(tmpdir(), 'architecture-'));
    for (const file of ['.oxlintrc.json', 'tsconfig.json', 'package.json'])
      await cp(file, join(root, file));
    await symlink(resolve('node_modules'), join(root, 'node_modules'));
    return new Plantation(root);
  }

  async plant(path: string, text: string): Promise<void> {
    const file = join(this.root, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, `${text}\n`);
  }

  /** The files in which that rule found something, sorted. */
  async filesAgainst(rule: string, ...flags: string[]): Promise<string[]> {
    const found = await this.lint(flags);
    const files = found.filter(({ code }) => code.includes(`(${rule})`));
    return [...new Set(files.map(({ filename }) => filename))].toSorted();
  }

  async remove(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }

  private lint(flags: readonly string[]): Promise<Diagnostic[]> {
    const linter = resolve('node_modules/oxlint/bin/oxlint');
    const args = [linter, '--format', 'json', ...flags, 'lib'];
    const options = { cwd: this.root, maxBuffer: 2 ** 26 };
    return new Promise((done, fail) => {
      // The exit code is 1 when something is found, which is what is wanted.
      execFile(process.execPath, args, options, (error, stdout) => {
        try {
          done((JSON.parse(stdout) as { diagnostics: Diagnostic[] }).diagnostics);
        } catch {
          fail(error ?? new Error(`oxlint printed no JSON: ${stdout}`));
        }
      });
    });
  }
}

let plantation: Plantation;
beforeAll(async () => {
  plantation = await Plantation.create();
});
afterAll(() => plantation.remove());

describe('the rows', () => {
  it('every import of one folder by another → refused exactly where it does not go down', async () => {
    const refused: string[] = [];
    for (const from of FOLDERS) {
      for (const to of FOLDERS) {
        if (from === to) continue;
        for (const [kind, statement] of Object.entries(STATEMENTS)) {
          const file = `lib/${from}/rows/${to}.${kind}.ts`;
          await plantation.plant(file, statement(`../../${to}/some-file.js`));
          if (rowOf(to) <= rowOf(from)) refused.push(file);
        }
      }
    }
    expect(await plantation.filesAgainst('no-restricted-imports')).toEqual(refused.toSorted());
  });

  it('a path with a detour → refused all the same', async () => {
    const detours = ['./../cache/flights.js', '../../lib/cache/flights.js', '../index.js'];
    for (const [i, path] of detours.entries())
      await plantation.plant(`lib/keys/detour-${i}.ts`, STATEMENTS.value!(path));
    const found = await plantation.filesAgainst('no-restricted-imports');
    expect(found.filter((file) => file.includes('detour'))).toEqual(
      detours.map((_, i) => `lib/keys/detour-${i}.ts`),
    );
  });

  it('the folders of lib → each has its row', async () => {
    const entries = await readdir('lib', { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    expect(folders.filter((name) => !FOLDERS.includes(name))).toEqual([]);
  });

  it("import('../…') as a type, which the linter does not see → nowhere in lib", async () => {
    const files = await readdir('lib', { recursive: true });
    const hidden: string[] = [];
    for (const file of files.filter((name) => name.endsWith('.ts')))
      if (/\bimport\(\s*['"`]\.\.\//.test(await readFile(join('lib', file), 'utf8')))
        hidden.push(file);
    expect(hidden).toEqual([]);
  });
});

describe('the other rules of the house', () => {
  it('two files that import a type from each other → a circle', async () => {
    const file = (other: string): string =>
      `import type { X } from './${other}.js';\nexport type Y = X;`;
    await plantation.plant('lib/common/chicken.ts', `${file('egg')}\nexport type X = 1;`);
    await plantation.plant('lib/common/egg.ts', `${file('chicken')}\nexport type X = 1;`);
    expect(await plantation.filesAgainst('no-cycle')).toEqual([
      'lib/common/chicken.ts',
      'lib/common/egg.ts',
    ]);
  });

  it.each([
    ['max-lines', 250, (n: number) => 'export {};\n'.padEnd(11 * n, 'export {};\n').trim()],
    [
      'max-lines-per-function',
      60,
      (n: number) => `export function f(g: () => void): void {\n${'g();\n'.repeat(n - 2)}}`,
    ],
    [
      'max-params',
      4,
      (n: number) =>
        `export const f = (${Array.from({ length: n }, (_, i) => `p${i}: 1`).join()}): void => {};`,
    ],
  ])('%s — %i and one more → only the latter refused', async (rule, limit, text) => {
    await plantation.plant(`lib/common/${rule}-just.ts`, text(limit));
    await plantation.plant(`lib/common/${rule}-over.ts`, text(limit + 1));
    expect(await plantation.filesAgainst(rule)).toEqual([`lib/common/${rule}-over.ts`]);
  });

  it('a promise that nobody waits for → refused', async () => {
    const call =
      'export async function f(): Promise<void> {}\nexport function g(): void {\n  f();\n}';
    await plantation.plant('lib/common/floating.ts', call);
    await plantation.plant('lib/common/waited.ts', call.replace('  f()', '  void f()'));
    expect(await plantation.filesAgainst('no-floating-promises', '--type-aware')).toEqual([
      'lib/common/floating.ts',
    ]);
  });

  it('a type error that is expected and is none → refused; one that is → not', async () => {
    const file = (value: string): string =>
      `// @ts-expect-error a text\nexport const x: number = ${value};`;
    await plantation.plant('lib/common/is-none.ts', file('1'));
    await plantation.plant('lib/common/is-one.ts', file("'1'"));
    expect(await plantation.filesAgainst('TS2578', '--type-aware', '--type-check')).toEqual([
      'lib/common/is-none.ts',
    ]);
  });
});
