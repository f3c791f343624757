import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Closes the channel to a process that was forked, which ends it; resolves when it has ended, or had already. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  if (child.connected) child.disconnect();
  await exit;
}
