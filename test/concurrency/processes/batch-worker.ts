/** One process of a test of batches: asks for several overlapping batches at the same time, and tells what it had to load. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Key } from '../../../lib/keys/encode-key.js';
import { assemble } from '../../../lib/module/assemble.js';
import { resolveOptions } from '../../../lib/module/resolve-options.js';

export interface BatchPlan {
  url: string;
  namespace: string;
  /** Keys of each call, all made at once. */
  batches: string[][];
  loadMs: number;
}

export interface BatchReport {
  /** Keys of each call of a loader. */
  loaded: string[][];
  /** What each batch got, in its order. */
  values: [string, string][][];
}

const plan = JSON.parse(process.argv[2]!) as BatchPlan;
const { namespace, url } = plan;
const options = { namespace, topology: { type: 'single', url } } as const;
const cache = assemble(resolveOptions(options, 'the worker'), { log: { warn: () => undefined } });

await cache.connect();
process.on('message', (message: 'go' | 'end') => void (message === 'go' ? run() : end()));
process.send!('ready');

async function run(): Promise<void> {
  const loaded: string[][] = [];
  const load = async (missing: Key[]): Promise<[Key, string][]> => {
    loaded.push(missing as string[]);
    await sleep(plan.loadMs);
    return missing.map((key) => [key, `${String(key)} by ${process.pid}`]);
  };
  const calls = plan.batches.map((keys) => cache.service.getOrSetMany(keys, load));
  const values = (await Promise.all(calls)).map((batch) => [...batch] as [string, string][]);
  process.send!({ loaded, values } satisfies BatchReport);
}

async function end(): Promise<void> {
  await cache.close();
  process.disconnect();
}
