import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cwd, execPath } from 'node:process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * The library and the sample, compiled as `npm start` does it, in a package directory of their own: other test files
 * build too, and would replace the files that run here. It lies in the project, where Node finds the dependencies.
 */
export class BuiltSample {
  private constructor(private readonly folder: string) {}

  static async build(): Promise<BuiltSample> {
    const project = cwd();
    await mkdir(join(project, '.cache'), { recursive: true });
    const folder = await mkdtemp(join(project, '.cache', 'test-sample-'));
    for (const path of ['package.json', 'tsconfig.json', 'sample/city-search'])
      await cp(join(project, path), join(folder, path), { recursive: true });
    const built = new BuiltSample(folder);
    try {
      const dist = join(folder, 'dist');
      await compile(project, ['-p', 'tsconfig.build.json', '--outDir', dist]);
      await compile(folder, ['-p', 'sample/city-search']);
    } catch (error) {
      await built.remove();
      throw error;
    }
    return built;
  }

  /** Starts it on a free port and with a database that all processes of this build share, one after the other. */
  start(environment: NodeJS.ProcessEnv = {}): RunningSample {
    const { REDIS_URL: _, ...inherited } = process.env;
    const data = { PORT: '0', CITY_SEARCH_DATA: join(this.folder, 'data') };
    const child = spawn(execPath, ['sample/city-search/dist/main.js'], {
      cwd: this.folder,
      env: { ...inherited, ...data, ...environment },
    });
    return new RunningSample(child);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function compile(directory: string, options: readonly string[]): Promise<void> {
  const tsc = join(cwd(), 'node_modules/typescript/bin/tsc');
  await run(execPath, [tsc, ...options], { cwd: directory }).catch(({ stdout }) => {
    throw new Error(`tsc ${options.join(' ')} found errors:\n${stdout}`);
  });
}

export class RunningSample {
  output = '';
  private readonly exit: Promise<unknown[]>;

  constructor(private readonly child: ChildProcess) {
    this.exit = once(child, 'close');
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (text) => (this.output += String(text)));
  }

  /** Resolves with the address it has said; rejects with what it has said instead. */
  async url(): Promise<string> {
    for (;;) {
      const url = /http:\/\/localhost:\d+/.exec(this.output)?.[0];
      if (url) return url;
      const ended = await Promise.race([once(this.child.stdout!, 'data'), this.exit]);
      if (ended.length === 2) throw new Error(`The sample ended: ${this.output}`);
    }
  }

  /** The exit code; null: a signal has killed it. */
  async exitCode(): Promise<unknown> {
    return (await this.exit)[0];
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<unknown> {
    this.child.kill(signal);
    return this.exitCode();
  }
}
