/** The port behind which a test's own Redis runs, whether as a process or as a container. */
export interface TestServer {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Ends it with that signal, default SIGKILL; resolves when it has ended. Its data folder and its port stay. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port with the same arguments; one that still runs is killed first. */
  restart(): Promise<void>;
  /** Freezes it: connections are still accepted and nothing is answered. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Ends it for good and removes its data. */
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** Further arguments of redis-server, after the ones that keep it on loopback and off the disk. */
  args?: readonly string[];
  /** `requirepass`; the url contains it. */
  password?: string;
}

/** How this run starts servers; found once by jest's global setup, read by every worker from the environment. */
export type Launcher =
  | { way: 'docker'; image: string }
  | {
      way: 'process' | 'package';
      binary: string;
      /** LD_LIBRARY_PATH of an unpacked package. */
      libraryPath?: string;
    };

/** Arguments common to every server of the suite; `options` come last and win. */
export function serverArguments(options: ServerOptions): string[] {
  const password = options.password ? ['--requirepass', options.password] : [];
  return ['--save', '', '--appendonly', 'no', ...password, ...(options.args ?? [])];
}

export function serverUrl(port: number, { password }: ServerOptions, host = '127.0.0.1'): string {
  return `redis://${password ? `:${encodeURIComponent(password)}@` : ''}${host}:${port}`;
}
