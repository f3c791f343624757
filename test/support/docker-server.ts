import type { getContainerRuntimeClient } from 'testcontainers';
import { freePort } from './ports.ts';
import { untilReady } from './ready.ts';
import { serverArguments, serverUrl, type ServerOptions, type TestServer } from './server.ts';

type Engine = Awaited<ReturnType<typeof getContainerRuntimeClient>>;
type Container = Awaited<ReturnType<Engine['container']['create']>>;

const RUN_LABEL = 'nestjs-redis-cache.test-run';
const REDIS_PORT = '6379/tcp';

const DETECT_TIMEOUT_MS = 3000;
const START_TIMEOUT_MS = 20_000;

/** Throws where no container engine answers. */
export async function requireDocker(): Promise<void> {
  const { getContainerRuntimeClient } = await import('testcontainers');
  const timeout = new Promise<never>((_, reject) => {
    const late = new Error(`no answer within ${DETECT_TIMEOUT_MS} ms`);
    setTimeout(reject, DETECT_TIMEOUT_MS, late).unref();
  });
  await Promise.race([getContainerRuntimeClient(), timeout]);
}

/**
 * A server in a container of its own. Its host port is chosen beforehand, because one that the engine chooses would
 * change with every restart.
 */
export class DockerServer implements TestServer {
  readonly url: string;

  private constructor(
    private readonly container: Container,
    options: ServerOptions,
    readonly host: string,
    readonly port: number,
  ) {
    this.url = serverUrl(port, options, host);
  }

  static async start(image: string, options: ServerOptions, run: string): Promise<DockerServer> {
    const { getContainerRuntimeClient } = await import('testcontainers');
    const engine = await getContainerRuntimeClient();
    const port = await freePort();
    const container = await engine.container.create({
      Image: await pulled(engine, image),
      // The official image turns protected mode off itself, others do not.
      Cmd: ['redis-server', '--protected-mode', 'no', ...serverArguments(options)],
      ExposedPorts: { [REDIS_PORT]: {} },
      HostConfig: { PortBindings: { [REDIS_PORT]: [{ HostPort: `${port}` }] } },
      Labels: { [RUN_LABEL]: run, ...(await reaperLabels(engine)) },
    });
    const server = new DockerServer(container, options, engine.info.containerRuntime.host, port);
    try {
      await server.restart();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { State } = await this.container.inspect();
    if (!State.Running) return;
    // A frozen container takes no signal.
    if (State.Paused) await this.container.unpause();
    const ended = this.container.wait();
    await this.container.kill({ signal });
    await ended;
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.container.start();
    const ended = new AbortController();
    void this.container.wait().then(
      () => ended.abort(),
      () => undefined,
    );
    try {
      await untilReady(this.url, START_TIMEOUT_MS, ended.signal);
    } catch (cause) {
      throw new Error(`The container did not start: ${await this.lastWords()}`, { cause });
    }
  }

  async pause(): Promise<void> {
    await this.container.pause();
  }

  async resume(): Promise<void> {
    await this.container.unpause();
  }

  async stop(): Promise<void> {
    await this.container.remove({ force: true, v: true });
  }

  private async lastWords(): Promise<string> {
    const log = await this.container.logs({ stdout: true, stderr: true, tail: 3 });
    return log.toString('utf8');
  }
}

/** Removes the containers of that run that their test files have left behind. */
export async function removeContainers(run: string): Promise<void> {
  const { getContainerRuntimeClient } = await import('testcontainers');
  const { dockerode } = (await getContainerRuntimeClient()).container;
  const filters = { label: [`${RUN_LABEL}=${run}`] };
  const left = await dockerode.listContainers({ all: true, filters });
  await Promise.all(
    left.map(({ Id }) => dockerode.getContainer(Id).remove({ force: true, v: true })),
  );
}

async function pulled(engine: Engine, image: string): Promise<string> {
  const { ImageName } = await import('testcontainers');
  const name = ImageName.fromString(image);
  await engine.image.pull(name);
  return name.string;
}

/** Testcontainers' own reaper removes what bears its label when this process dies without a teardown. */
async function reaperLabels(engine: Engine): Promise<Record<string, string>> {
  const { getReaper, LABEL_TESTCONTAINERS_SESSION_ID } = await import('testcontainers');
  return { [LABEL_TESTCONTAINERS_SESSION_ID]: (await getReaper(engine)).sessionId };
}
