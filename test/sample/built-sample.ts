import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { Compiled } from '../support/compiled.js';
import { preparedDatabase } from './prepared-database.js';

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
    const sample = new BuiltSample(compiled);
    const prepared = await preparedDatabase(join(SAMPLE, 'src'), () => sample.firstStart());
    await cp(prepared, sample.database, { recursive: true });
    return sample;
  }

  /** Starts it on free ports and with a database that all processes of this build share, one after the other. */
  start(environment: NodeJS.ProcessEnv = {}): RunningSample {
    const { REDIS_URL: _, ...inherited } = process.env;
    const data = { PORT: '0', CITY_SEARCH_DATA: this.database };
    const child = spawn(execPath, [this.compiled.path(`${SAMPLE}/src/main.ts`)], {
      env: { ...inherited, ...data, ...environment },
    });
    return new RunningSample(child);
  }

  async remove(): Promise<void> {
    await this.compiled.remove();
  }

  private get database(): string {
    return this.compiled.path('data');
  }

  /** Makes a database; the directory that it is in. */
  private async firstStart(): Promise<string> {
    const directory = this.compiled.path('first-start');
    const running = this.start({ CITY_SEARCH_DATA: directory });
    await running.urls();
    if ((await running.stop()) !== 0 || !running.output.includes('100 %'))
      throw new Error(`The first start went wrong: ${running.output}`);
    return directory;
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

  /** Resolves with the addresses that its instances have said; rejects with what it has said instead. */
  async urls(instances = 1): Promise<string[]> {
    for (;;) {
      const urls = this.output.match(/http:\/\/localhost:\d+/g) ?? [];
      if (urls.length >= instances) return urls;
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
