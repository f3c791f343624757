import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { transformFile } from '@swc/core';

const ROOT = join(import.meta.dirname, '../..');

/** A change to the compiled library that makes it wrong on purpose, so that a checker can be seen to fail. */
export interface Mutation {
  /** Below `lib/`, without ending: `store/lua/fill.lua`. */
  file: string;
  from: string | RegExp;
  to: string;
}

/**
 * The library and a test's programs, compiled for processes of their own: Node runs no TypeScript. It lies in the project,
 * where Node finds the dependencies. Remove it in `afterAll`.
 */
export class Compiled {
  private constructor(private readonly folder: string) {}

  /** `programs` are paths below the project, `test/…/worker.ts`; each mutation must change something. */
  static async make(programs: readonly string[], mutations: readonly Mutation[] = []) {
    await mkdir(join(ROOT, '.cache'), { recursive: true });
    const compiled = new Compiled(await mkdtemp(join(ROOT, '.cache', 'compiled-')));
    const library = await readdir(join(ROOT, 'lib'), { recursive: true });
    const files = library.filter((file) => file.endsWith('.ts')).map((file) => join('lib', file));
    await Promise.all(
      [...files, ...programs].map((file) =>
        compiled.compile(
          file,
          mutations.filter((m) => file === join('lib', `${m.file}.ts`)),
        ),
      ),
    );
    return compiled;
  }

  /** Where Node finds the compiled form of a program. */
  path(program: string): string {
    return join(this.folder, program.replace(/\.ts$/, '.js'));
  }

  /** From here on a program may ask for the package by its name, and gets the library that lies beside it. */
  async nameIt(): Promise<void> {
    const { name, type } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
      name: string;
      type: string;
    };
    const exports = { '.': './lib/index.js', './*': './lib/*/index.js' };
    const itself = { name, type, exports };
    await writeFile(this.path('package.json'), JSON.stringify(itself));
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  private async compile(file: string, mutations: readonly Mutation[]): Promise<void> {
    let code = await transformed(file);
    for (const { from, to } of mutations) {
      const mutated = code.replace(from, () => to);
      if (mutated === code) throw new Error(`The mutation of ${file} changes nothing: ${from}`);
      code = mutated;
    }
    const target = this.path(file);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, code);
  }
}

const known = new Map<string, Promise<string>>();

/** Once for all compiled libraries of a file of tests. */
function transformed(file: string): Promise<string> {
  let code = known.get(file);
  if (!code) {
    const options = { cwd: ROOT, sourceMaps: false };
    code = transformFile(join(ROOT, file), options).then((output) => output.code);
    known.set(file, code);
  }
  return code;
}
