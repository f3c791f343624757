import type { getContainerRuntimeClient } from 'testcontainers';
import { freePort } from './ports.ts';
import { untilReady } from './ready.ts';
import { serverArguments, serverUrl, type ServerOptions, type TestServer } from './server.ts';

type Engine = Awaited<ReturnType<typeof getContainerRuntimeClient>>['container'];

const RUN_LABEL = 'nestjs-redis-cache.test-run';
const REDIS_PORT = 6379;

/** Long enough to pull the image once over a slow line. */
const START_TIMEOUT_MS = 120_000;
const DETECT_TIMEOUT_MS = 3000;

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
 * A server in a container of its own. Its host port is chosen beforehand: one that the engine chooses would change with
 * every restart.
 */
export class DockerServer implements TestServer {
  readonly url: string;

  private constructor(
    private readonly container: ReturnType<Engine['getById']>,
    options: ServerOptions,
    readonly host: string,
    readonly port: number,
  ) {
    this.url = serverUrl(port, options, host);
  }

  static async start(image: string, options: ServerOptions, run: string): Promise<DockerServer> {
    const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers');
    const port = await freePort();
    // The official image turns protected mode off itself, others do not.
    const command = ['redis-server', '--protected-mode', 'no', ...serverArguments(options)];
    const started = await new GenericContainer(image)
      .withCommand(command)
      .withExposedPorts({ container: REDIS_PORT, host: port })
      .withLabels({ [RUN_LABEL]: run })
      .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
      .withStartupTimeout(START_TIMEOUT_MS)
      .start();
    const client = await getContainerRuntimeClient();
    const container = client.container.getById(started.getId());
    const server = new DockerServer(container, options, started.getHost(), port);
    await untilReady(server.url, START_TIMEOUT_MS);
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
    await untilReady(this.url, START_TIMEOUT_MS);
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
