import type { Arguments } from './arguments.js';
import type { Tally } from './crew.js';
import type { Answers, Round } from './messages.js';

export const NAMES: Record<Round, string> = {
  none: 'without a cache',
  memory: 'a cache in each process',
  redis: 'nestjs-redis-cache on Redis',
};
const NAME_WIDTH = Math.max(...Object.values(NAMES).map((name) => name.length));
const COLUMNS = ['loads', 'values seen', 'median', '99 %', 'longest'];

const numbers = new Intl.NumberFormat('en');
const counted = (count: number): string => numbers.format(count);
const milliseconds = (ms: number): string => `${counted(Math.round(ms))} ms`;

export interface Result {
  round: Round;
  loads: number;
  values: number;
  /** Of all callers, ascending. */
  waitsMs: readonly number[];
}

export function resultOf(round: Round, { loads }: Tally, { values, waitsMs }: Answers): Result {
  return {
    round,
    loads,
    values: new Set(values).size,
    waitsMs: waitsMs.toSorted((a, b) => a - b),
  };
}

export function headline({ processes, callers, loadMs }: Arguments): string {
  return `processes: ${processes} · callers in each: ${counted(callers)} · keys: 1, missing · a load takes ${milliseconds(loadMs)}`;
}

export function table(results: readonly Result[]): string {
  const rows = results.map(({ round, loads, values, waitsMs }) => {
    const share = (part: number): string =>
      milliseconds(waitsMs[Math.ceil(part * waitsMs.length) - 1]!);
    return line(NAMES[round], [counted(loads), counted(values), share(0.5), share(0.99), share(1)]);
  });
  return [line('', COLUMNS), ...rows].join('\n');
}

function line(name: string, cells: readonly string[]): string {
  return name.padEnd(NAME_WIDTH) + cells.map((cell) => cell.padStart(14)).join('');
}

const REFRESH_MS = 50;

/** One line per round: where there is a terminal it is kept up to date, elsewhere it is written once. */
export class Progress {
  private readonly begin = performance.now();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly round: Round,
    private readonly tally: Tally,
    private readonly callers: number,
  ) {
    this.timer = setInterval(() => this.show(), REFRESH_MS);
  }

  end(): void {
    clearInterval(this.timer);
    if (process.stdout.isTTY) this.show();
    else process.stdout.write(this.text());
    process.stdout.write('\n');
  }

  private show(): void {
    // Back to the beginning of the line, which is cleared.
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${this.text()}`);
  }

  private text(): string {
    const { loads, served } = this.tally;
    const seconds = ((performance.now() - this.begin) / 1000).toFixed(1);
    const name = NAMES[this.round].padEnd(NAME_WIDTH);
    return `${name}  loads ${counted(loads)}, served ${counted(served)} of ${counted(this.callers)}, ${seconds} s`;
  }
}
