/** One process of a test of stampedes: many callers of one missing key. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StampedePlan } from './plan.js';
import { TimedCache } from './timed-cache.js';

const KEY = 'stampede';

const plan = JSON.parse(process.argv[2]!) as StampedePlan;
const timed = await TimedCache.connect(plan);
process.on('message', (message: 'go' | 'end') => void (message === 'go' ? run() : end()));
process.send!('ready');

async function run(): Promise<void> {
  const { report } = timed;
  const load = async (): Promise<number> => {
    report.loads++;
    process.send!('loading');
    await sleep(plan.loadMs);
    return timed.commit(KEY);
  };
  const call = async (): Promise<void> => {
    report.reads.push(await timed.read(KEY, load));
  };
  await Promise.all(Array.from({ length: plan.callers }, call));
  process.send!(report);
}

async function end(): Promise<void> {
  await timed.close();
  process.disconnect();
}
