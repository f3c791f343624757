import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { cwd, env } from 'node:process';
import { transform } from '@swc/core';
import { Compiled } from '../support/compiled.js';
import type { Example } from './examples.js';

const RUNNER = 'test/docs/runner.ts';
const CHECKER = 'test/docs/checker.ts';

interface Found {
  path: string;
  line: number;
  problem: string;
}

/** What is wrong with each example, by its title. */
export type Problems = ReadonlyMap<string, string>;

/**
 * Examples of pages in files of their own, which import the package by its name and get `lib/`. Each begins at the line that
 * it has in its page, so that every message of the compiler and every stack names the right one.
 */
export class ExampleRun {
  private constructor(
    private readonly examples: readonly Example[],
    private readonly folder: string,
    private readonly compiled: Compiled,
  ) {}

  static async make(examples: readonly Example[]): Promise<ExampleRun> {
    await mkdir('.cache', { recursive: true });
    const folder = await mkdtemp(join(cwd(), '.cache/docs-'));
    const run = new ExampleRun(examples, folder, await Compiled.make([RUNNER, CHECKER]));
    await run.writePackage();
    await Promise.all(examples.map((example) => run.write(example)));
    return run;
  }

  /** One run of the compiler for all of them. */
  async typeErrors(): Promise<Problems> {
    const bySource = new Map(this.examples.map((e) => [this.source(e), e]));
    const project = join(this.folder, 'tsconfig.json');
    const child = fork(this.compiled.path(CHECKER), [project, ...bySource.keys()]);
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`The compiler ended with code ${code}`);
    });
    const [found] = (await Promise.race([once(child, 'message'), ended])) as [Found[]];
    ended.catch(() => undefined);
    const problems = new Map<string, string>();
    for (const { path, line, problem } of found) {
      const { title, page } = bySource.get(path)!;
      const earlier = problems.has(title) ? `${problems.get(title)}\n` : '';
      problems.set(title, `${earlier}${page}:${line}: ${problem}`);
    }
    return problems;
  }

  /** One process for these, one after the other; each may take that long. */
  async run(examples: readonly Example[], limitMs: number): Promise<Problems> {
    const unheard = new Map(examples.map((e) => [this.program(e), e]));
    const problems = new Map<string, string>();
    const child = fork(this.compiled.path(RUNNER), [String(limitMs), ...unheard.keys()], {
      execArgv: ['--enable-source-maps'],
      env: { ...env, REDIS_URL: env.TEST_REDIS_URL },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let output = '';
    child.stderr!.on('data', (text) => (output += String(text)));
    child.on('message', ({ path, problem }: { path: string; problem?: string }) => {
      const example = unheard.get(path)!;
      unheard.delete(path);
      if (problem !== undefined)
        problems.set(example.title, `${this.whereIn(example, problem)}: ${problem}`);
    });
    await new Promise((resolve) => child.on('close', resolve));
    for (const { title, page, line } of unheard.values())
      problems.set(title, `${page}:${line}: the process ended before its end\n${output}`);
    return problems;
  }

  async remove(): Promise<void> {
    await this.compiled.remove();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The last line of the example that a stack names, or its first one. */
  private whereIn(example: Example, stack: string): string {
    const path = relative(cwd(), this.source(example));
    const line = stack.split(`${path}:`)[1]?.match(/^\d+/)?.[0] ?? example.line;
    return `${example.page}:${line}`;
  }

  private async write(example: Example): Promise<void> {
    const source = this.source(example);
    const code = '\n'.repeat(example.line - 1) + example.code;
    const program = this.program(example);
    for (const path of [source, program]) await mkdir(dirname(path), { recursive: true });
    await writeFile(source, code);
    const js = await transform(code, { cwd: cwd(), filename: source, sourceMaps: 'inline' });
    await writeFile(program, js.code);
  }

  /** The compiler and Node find `lib/` under the name of the package, with all of its entry points. */
  private async writePackage(): Promise<void> {
    const { name, exports } = JSON.parse(await readFile('package.json', 'utf8')) as {
      name: string;
      exports: Record<string, { import?: string }>;
    };
    const entries = Object.entries(exports).filter(([, { import: file }]) => file);
    const toLib = (file: string): string => file.replace('./dist/', './lib/');
    const built = entries.map(([entry, { import: file }]) => [entry, toLib(file!)]);
    const own = { name, type: 'module', exports: Object.fromEntries(built) };
    await writeFile(this.compiled.path('package.json'), JSON.stringify(own));

    const sources = entries.map(([entry, { import: file }]) => [
      join(name, entry),
      [`../../${toLib(file!).replace(/\.js$/, '.ts')}`],
    ]);
    const compilerOptions = { paths: Object.fromEntries(sources), rootDir: '../..' };
    const project = { extends: '../../tsconfig.json', compilerOptions, include: ['**/*.ts'] };
    await writeFile(join(this.folder, 'tsconfig.json'), JSON.stringify(project));
  }

  private source(example: Example): string {
    return join(this.folder, example.page, `${example.line}.ts`);
  }

  private program(example: Example): string {
    return this.compiled.path(join(example.page, `${example.line}.ts`));
  }
}
