import { transformFile } from '@swc/core';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cwd, env, execPath } from 'node:process';
import { Compiled } from '../support/compiled.js';

/** Demos start a Redis with the means of the tests. */
const SHARED = ['sample', 'test/support'];

/** `./x.ts` becomes `./x.js`; the compiler's types do not know the option. */
const IMPORTS_OF_TYPESCRIPT = { rewriteRelativeImportExtensions: true };

export interface DemoRun {
  exitCode: number;
  output: string;
}

/** The library and one of the demos in `sample/`, compiled into a folder of their own. */
export class BuiltDemo {
  private constructor(
    private readonly compiled: Compiled,
    private readonly folder: string,
  ) {}

  static async build(name: string): Promise<BuiltDemo> {
    const compiled = await Compiled.make([]);
    await compiled.nameIt();
    const demo = new BuiltDemo(compiled, join('sample', name));
    for (const folder of [...SHARED, demo.folder])
      for (const file of await readdir(folder))
        if (file.endsWith('.ts')) await demo.compile(join(folder, file));
    return demo;
  }

  /** Runs it to its end, without the Redis that the tests may have been given. */
  async run(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<DemoRun> {
    const { REDIS_URL: _, ...inherited } = env;
    const child = spawn(execPath, [this.compiled.path(`${this.folder}/main.ts`), ...args], {
      cwd: cwd(),
      env: { ...inherited, ...environment },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => (output += String(text)));
    const [exitCode] = (await once(child, 'close')) as [number];
    return { exitCode, output };
  }

  async remove(): Promise<void> {
    await this.compiled.remove();
  }

  private async compile(file: string): Promise<void> {
    const { code } = await transformFile(file, {
      sourceMaps: false,
      jsc: { target: 'es2023', ...IMPORTS_OF_TYPESCRIPT },
    });
    await mkdir(dirname(this.compiled.path(file)), { recursive: true });
    await writeFile(this.compiled.path(file), code);
  }
}
