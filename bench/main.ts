import { readArguments, USAGE } from './arguments.js';
import { Bench } from './bench.js';
import { describeMachine } from './machine.js';
import { QUESTIONS } from './questions.js';
import { openRedis } from './redis.js';
import { compare, drawAgain, headline, save } from './report.js';
import { Servers } from './servers.js';
import { print } from './table.js';

try {
  const wanted = readArguments(process.argv.slice(2));
  if (wanted.act === 'help') console.log(USAGE);
  else if (wanted.act === 'compare') console.log(await compare(wanted.before, wanted.after));
  else if (wanted.act === 'draw') console.log((await drawAgain(wanted.name)).join('\n'));
  else await answerAll(wanted.questions, wanted.save);
} catch (error) {
  console.error(`\n${(error as Error).message}`);
  process.exitCode = 1;
}

async function answerAll(questions: readonly string[], name: string | undefined): Promise<void> {
  const servers = new Servers();
  try {
    const redis = await openRedis(servers);
    for (const question of questions) {
      const machine = await describeMachine(redis.version);
      console.log(`\n${question}: ${QUESTIONS.get(question)!.asks}\n${headline(machine)}`);
      const tables = await answer(question, redis.url, servers);
      console.log(tables.map(print).join('\n'));
      if (!name) continue;
      const saved = await save(name, question, { machine, tables });
      console.log(`\nSaved in ${saved.join('\n         ')}`);
    }
  } finally {
    await servers.stop();
  }
}

async function answer(question: string, redisUrl: string, servers: Servers) {
  const bench = new Bench(redisUrl, { servers });
  try {
    return await QUESTIONS.get(question)!.answer(bench);
  } finally {
    await bench.close();
  }
}
