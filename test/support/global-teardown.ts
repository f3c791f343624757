import { removeContainers } from './docker-server.ts';

/** Ends the shared server and every server that a test file has left behind. */
export default async function globalTeardown(): Promise<void> {
  const run = globalThis.testRun;
  if (run?.launcher?.way === 'docker') await removeContainers(run.folder);
  await run?.janitor.sweep();
}
