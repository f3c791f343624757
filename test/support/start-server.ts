import { DockerServer } from './docker-server.ts';
import { ProcessServer } from './process-server.ts';
import type { Launcher, ServerOptions, TestServer } from './server.ts';

/** What jest's global setup hands to every worker, all in environment variables. */
export const PASSED_ON = {
  /** The shared server of the run: use keys of your own, never FLUSHALL. */
  url: 'TEST_REDIS_URL',
  launcher: 'TEST_REDIS_LAUNCHER',
  /** Why no server can be started, where only REDIS_URL is there. */
  launcherProblem: 'TEST_REDIS_LAUNCHER_PROBLEM',
  /** Folder below which servers keep their data; its path is also the name of the run. */
  runFolder: 'TEST_REDIS_RUN_FOLDER',
} as const;

/**
 * A server of the test's own, to configure, freeze and kill, started the same way as the shared one: 50 ms as a process,
 * 0.5 s as a container. Stop it in `afterAll`; what is forgotten ends with the run.
 */
export function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const launcher = process.env[PASSED_ON.launcher];
  if (!launcher)
    throw new Error(
      `This test needs a server of its own. ${process.env[PASSED_ON.launcherProblem]}`,
    );
  return launch(JSON.parse(launcher) as Launcher, options);
}

export function launch(launcher: Launcher, options: ServerOptions = {}): Promise<TestServer> {
  const run = process.env[PASSED_ON.runFolder]!;
  return launcher.way === 'docker'
    ? DockerServer.start(launcher.image, options, run)
    : ProcessServer.start(launcher, options, run);
}
