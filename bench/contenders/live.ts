import { setTimeout as sleep } from 'node:timers/promises';
import type { AssembledCache } from '../../lib/module/assemble.js';

const LIVE_WITHIN_MS = 10_000;

/** Resolves once messages of other processes arrive, and copies are kept. */
export async function untilLive({ buses }: AssembledCache): Promise<void> {
  const deadline = performance.now() + LIVE_WITHIN_MS;
  while (!buses.every((bus) => bus.live)) {
    if (performance.now() > deadline) throw new Error('The bus is not live, so nothing is kept');
    await sleep(10);
  }
}
