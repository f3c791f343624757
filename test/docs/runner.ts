/** Runs the examples that it is started with, one after the other, and sends what became of each. A program of its own. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

const [limitMs, ...paths] = process.argv.slice(2);

/** Undefined: all is well. */
async function run(path: string): Promise<string | undefined> {
  const stop = new AbortController();
  try {
    await Promise.race([
      import(path),
      once(process, 'uncaughtException', stop).then(([error]) => Promise.reject(error)),
      sleep(Number(limitMs), undefined, stop).then(() => {
        throw new Error(`not at its end after ${limitMs} ms`);
      }),
    ]);
    return undefined;
  } catch (error) {
    return inspect(error);
  } finally {
    stop.abort();
  }
}

// What an example leaves behind must not end the run of the next.
process.on('uncaughtException', (error) => console.error(error));
// So that the first example does not wait for it.
await import('../../lib/index.js');
for (const path of paths) {
  const problem = await run(path);
  await new Promise((resolve) => process.send!({ path, problem }, undefined, undefined, resolve));
}
// Some leave something open, which ends with this process.
process.exit();
