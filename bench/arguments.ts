import { parseArgs } from 'node:util';
import { QUESTIONS } from './questions.js';

export type Arguments =
  | { act: 'help' }
  | { act: 'answer'; questions: readonly string[]; save?: string }
  | { act: 'compare'; before: string; after: string }
  | { act: 'draw'; name: string };

export const USAGE = `npm run bench -- QUESTION… [--save NAME]
npm run bench -- --compare A B
npm run bench -- --draw NAME

${[...QUESTIONS].map(([name, { asks }]) => `  ${name.padEnd(14)}${asks}`).join('\n')}

  --save        also writes the tables to bench/results/NAME.json, and NAME.txt and plots beside it; other questions saved there are kept
  --compare     what was saved under two names, side by side
  --draw        text and plots of what was saved, anew

It uses the Redis at REDIS_URL, or starts one for as long as it runs.`;

/** Throws an error with a message for people. */
export function readArguments(argv: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      save: { type: 'string' },
      compare: { type: 'string' },
      draw: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help || argv.length === 0) return { act: 'help' };
  if (values.compare !== undefined) {
    const [after, ...more] = positionals;
    if (after === undefined || more.length > 0 || values.save !== undefined)
      throw new Error('--compare takes two names and nothing else: --compare A B');
    return { act: 'compare', before: fileName(values.compare), after: fileName(after) };
  }
  if (values.draw !== undefined) {
    if (positionals.length > 0 || values.save !== undefined)
      throw new Error('--draw takes one name and nothing else: --draw NAME');
    return { act: 'draw', name: fileName(values.draw) };
  }
  if (positionals.length === 0) throw new Error(`Which question? There are ${known()}`);
  for (const name of positionals)
    if (!QUESTIONS.has(name))
      throw new Error(`There is no question '${name}'; there are ${known()}`);
  const save = values.save === undefined ? undefined : fileName(values.save);
  return { act: 'answer', questions: positionals, save };
}

const known = (): string => [...QUESTIONS.keys()].join(', ');

function fileName(name: string): string {
  if (/^\w[\w.-]{0,63}$/.test(name)) return name;
  throw new Error(`'${name}' is no name; it may have 64 letters, digits, '.', '_' and '-'`);
}
