import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { untilReady } from './ready.ts';
import {
  serverArguments,
  serverUrl,
  type Launcher,
  type ServerOptions,
  type TestServer,
} from './server.ts';

type ProcessLauncher = Exclude<Launcher, { way: 'docker' }>;

/** Starting a server takes 50 ms; a machine that is busy gets this long. */
const START_TIMEOUT_MS = 10_000;

/** A redis-server or valkey-server as a child process, in a folder of its own below the run's folder. */
export class ProcessServer implements TestServer {
  readonly host = '127.0.0.1';
  readonly url: string;
  private child!: ChildProcess;

  private constructor(
    private readonly launcher: ProcessLauncher,
    private readonly options: ServerOptions,
    readonly port: number,
    private readonly folder: string,
  ) {
    this.url = serverUrl(port, options);
  }

  static async start(
    launcher: ProcessLauncher,
    options: ServerOptions,
    runFolder: string,
  ): Promise<ProcessServer> {
    const folder = await mkdtemp(join(runFolder, 'server-'));
    const server = new ProcessServer(launcher, options, await freePort(), folder);
    await server.restart();
    return server;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.runs()) return;
    // Without a reference, Node would end while it waits here and nothing else keeps it.
    this.child.ref();
    const exit = once(this.child, 'exit');
    this.child.kill(signal);
    await exit;
  }

  async restart(): Promise<void> {
    await this.kill();
    this.spawn();
    const ended = new AbortController();
    const end = (): void => ended.abort();
    this.child.once('exit', end).once('error', end);
    try {
      await untilReady(this.url, START_TIMEOUT_MS, ended.signal);
    } catch (cause) {
      await this.kill();
      throw new Error(`${this.launcher.binary} did not start: ${this.lastWords()}`, { cause });
    } finally {
      this.child.off('exit', end);
    }
  }

  async pause(): Promise<void> {
    this.child.kill('SIGSTOP');
  }

  async resume(): Promise<void> {
    this.child.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  private runs(): boolean {
    return this.child?.pid !== undefined && this.child.exitCode === null && !this.child.signalCode;
  }

  private spawn(): void {
    const { binary, libraryPath } = this.launcher;
    const log = openSync(join(this.folder, 'log'), 'w');
    // The pid file tells the janitor what is left when a test file ends without stopping its servers.
    const place = ['--port', `${this.port}`, '--bind', this.host, '--dir', this.folder];
    const args = [...place, '--pidfile', 'pid', ...serverArguments(this.options)];
    this.child = spawn(binary, args, {
      cwd: this.folder,
      stdio: ['ignore', log, log],
      env: libraryPath ? { ...process.env, LD_LIBRARY_PATH: libraryPath } : process.env,
    });
    this.child.unref();
    closeSync(log);
  }

  private lastWords(): string {
    return readFileSync(join(this.folder, 'log'), 'utf8').trim().split('\n').slice(-3).join(' | ');
  }
}
