import { readArguments, USAGE } from './arguments.js';
import { Bench } from './bench.js';
import { describeMachine } from './machine.js';
import { QUESTIONS } from './questions.js';
import { openRedis } from './redis.js';
import { compare, headline, save } from './report.js';
import { print } from './table.js';

try {
  const wanted = readArguments(process.argv.slice(2));
  if (wanted.act === 'help') console.log(USAGE);
  else if (wanted.act === 'compare') console.log(await compare(wanted.before, wanted.after));
  else await answerAll(wanted.questions, wanted.save);
} catch (error) {
  console.error(`\n${(error as Error).message}`);
  process.exitCode = 1;
}

async function answerAll(questions: readonly string[], name: string | undefined): Promise<void> {
  const redis = await openRedis();
  try {
    for (const question of questions) {
      const machine = await describeMachine(redis.version);
      console.log(`\n${question}: ${QUESTIONS.get(question)!.asks}\n${headline(machine)}`);
      const tables = await answer(question, redis.url);
      console.log(tables.map(print).join('\n'));
      if (name) console.log(`\nSaved in ${await save(name, question, { machine, tables })}`);
    }
  } finally {
    await redis.stop();
  }
}

async function answer(question: string, redisUrl: string) {
  const bench = new Bench(redisUrl);
  try {
    return await QUESTIONS.get(question)!.answer(bench);
  } finally {
    await bench.close();
  }
}
