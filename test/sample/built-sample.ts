import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { Compiled } from '../support/compiled.js';

const SAMPLE = 'sample/city-search';

/** The library and the sample, compiled into a folder of their own; that the compiler accepts them is seen elsewhere. */
export class BuiltSample {
  private constructor(private readonly compiled: Compiled) {}

  static async build(): Promise<BuiltSample> {
    const files = await readdir(join(SAMPLE, 'src'), { recursive: true });
    const sources = files.filter((file) => file.endsWith('.ts'));
    const compiled = await Compiled.make(sources.map((file) => join(SAMPLE, 'src', file)));
    await compiled.nameIt();
    await cp(join(SAMPLE, 'public'), compiled.path(join(SAMPLE, 'public')), { recursive: true });
    return new BuiltSample(compiled);
  }

  /** Starts it on a free port and with a database that all processes of this build share, one after the other. */
  start(environment: NodeJS.ProcessEnv = {}): RunningSample {
    const { REDIS_URL: _, ...inherited } = process.env;
    const data = { PORT: '0', CITY_SEARCH_DATA: this.compiled.path('data') };
    const child = spawn(execPath, [this.compiled.path(`${SAMPLE}/src/main.ts`)], {
      env: { ...inherited, ...data, ...environment },
    });
    return new RunningSample(child);
  }

  async remove(): Promise<void> {
    await this.compiled.remove();
  }
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
