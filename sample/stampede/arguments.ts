import { parseArgs } from 'node:util';

/** What the demo is asked to do. */
export interface Arguments {
  processes: number;
  /** In each process. */
  callers: number;
  loadMs: number;
}

const DEFAULTS = { processes: '8', callers: '500', load: '300' };

/** A load beyond 10 s would only be waited for; far more processes or callers say something about the machine alone. */
const MOST = { processes: 64, callers: 10_000, load: 10_000 };

export const USAGE = `npm run demo:stampede -- [--processes 1..${MOST.processes}] [--callers 1..${MOST.callers}] [--load 1..${MOST.load}]

  --processes  how many processes ask, default ${DEFAULTS.processes}
  --callers    how many callers ask in each of them at the same time, default ${DEFAULTS.callers}
  --load       how many ms one load from the source takes, default ${DEFAULTS.load}

It uses the Redis at REDIS_URL, or starts one for as long as it runs.`;

/** Undefined: help is asked for. Throws an error with a message for people. */
export function readArguments(argv: readonly string[]): Arguments | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      processes: { type: 'string', default: DEFAULTS.processes },
      callers: { type: 'string', default: DEFAULTS.callers },
      load: { type: 'string', default: DEFAULTS.load },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    processes: wholeNumber('processes', values.processes),
    callers: wholeNumber('callers', values.callers),
    loadMs: wholeNumber('load', values.load),
  };
}

function wholeNumber(name: keyof typeof MOST, text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= 1 && number <= MOST[name]) return number;
  throw new Error(`--${name} is '${text}'; it may be a whole number from 1 to ${MOST[name]}`);
}
