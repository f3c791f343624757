import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/**
 * Ends every server below `runFolder` and removes the folder when the process that started the janitor ends, however it
 * ends: also by SIGKILL, where no exit handler runs. It notices by the end of its standard input.
 */
const SWEEP = `cat >/dev/null
for file in "$1"/*/pid; do [ -f "$file" ] && kill -KILL "$(cat "$file")" 2>/dev/null; done
rm -rf "$1"`;

export class Janitor {
  private readonly child: ChildProcess;

  constructor(runFolder: string) {
    // detached: Ctrl-C goes to the whole foreground group, and the janitor has to outlive it.
    this.child = spawn('sh', ['-c', SWEEP, 'janitor', runFolder], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.child.on('error', () => undefined).unref();
  }

  /** Sweeps now; resolves when that is done. */
  async sweep(): Promise<void> {
    if (this.child.exitCode !== null || this.child.pid === undefined) return;
    // Waiting for a child without a reference lets Node end in the middle, with exit code 0 whatever the tests said.
    this.child.ref();
    const exit = once(this.child, 'exit');
    this.child.stdin?.end();
    await exit;
  }
}
