import { randomBytes } from 'node:crypto';
import { readArguments, USAGE, type Arguments } from './arguments.js';
import { Crew, type Tally } from './crew.js';
import { ROUNDS } from './messages.js';
import { openRedis } from '../demo-redis.js';
import { headline, Progress, resultOf, table, type Result } from './report.js';

try {
  const wanted = readArguments(process.argv.slice(2));
  if (wanted) await demonstrate(wanted);
  else console.log(USAGE);
} catch (error) {
  console.error(`\n${(error as Error).message}`);
  process.exitCode = 1;
}

async function demonstrate(wanted: Arguments): Promise<void> {
  const redis = await openRedis();
  try {
    console.log(`\n${headline(wanted)}\n${redis.description}\n`);
    const namespace = `stampede-${randomBytes(6).toString('hex')}`;
    const crew = new Crew(wanted, { redisUrl: redis.url, namespace });
    try {
      await crew.ready();
      conclude(await play(crew, wanted));
    } finally {
      await crew.end();
    }
  } finally {
    await redis.stop();
  }
}

async function play(crew: Crew, { processes, callers }: Arguments): Promise<Result[]> {
  const results: Result[] = [];
  for (const round of ROUNDS) {
    const tally: Tally = { loads: 0, served: 0 };
    const progress = new Progress(round, tally, processes * callers);
    try {
      results.push(resultOf(round, tally, await crew.run(round, tally)));
    } finally {
      progress.end();
    }
  }
  return results;
}

function conclude(results: Result[]): void {
  const { loads, values } = results.at(-1)!;
  const isKept = loads === 1 && values === 1;
  console.log(`\n${table(results)}\n`);
  console.log(
    isKept
      ? 'On Redis, one load served every caller of every process. (This source takes any number of loads at a time;\nanother would slow down under those of the first line.)'
      : `On Redis there were ${loads} loads and ${values} values, where one of each is promised.`,
  );
  if (!isKept) process.exitCode = 1;
}
