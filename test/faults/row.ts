import { appendFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { PASSED_ON } from '../support/start-server.js';
import { TABLE_FILE, type Line } from './table.js';

/** Otherwise, with `TEST_FAULTS=short`, faults are short, load is less, and some are left out. */
export const WHOLE = process.env.TEST_FAULTS === 'whole';

/** So long in the whole suite, and so long in the short one. */
export const lasting = (wholeMs: number, shortMs: number): number => (WHOLE ? wholeMs : shortMs);

/** What is slow on a machine that does nothing else, and no fault. */
const SLACK = 3;
/** Calls that come too late, for each further program on a core. */
const SELDOM = 5;
/** Before a process that has something to do gets to do it, several times in a row. */
const WAIT_MS = 100;

/** How many programs share a core, as far as the last minute tells: everything takes so many times longer. At least 1. */
export const crowd = (): number => Math.max(1, loadavg()[0]! / availableParallelism());

interface Bound {
  bound: number;
  unit?: string;
  /** Beyond so many times the bound it fails. Times get as much again for each further program on a core. */
  slack?: number;
}

/** One fault, and what was measured under it against what must hold. */
export class Row {
  /** What did not hold. */
  readonly broken: string[] = [];

  constructor(
    private readonly number: string,
    private readonly fault: string,
  ) {}

  /** What depends on the machine as well: beyond the bound it is slow, and beyond what that accounts for it fails. */
  atMost(criterion: string, measured: number, { bound, unit = 'ms', slack = SLACK }: Bound): void {
    const most = unit === 'ms' ? (bound * slack + WAIT_MS) * crowd() : bound * slack;
    this.tell({
      criterion,
      bound: `≤ ${show(bound)} ${unit}`.trimEnd(),
      measured: `${show(measured)} ${unit}`.trimEnd(),
      ok: measured <= bound ? 'yes' : measured <= most ? 'slow' : 'NO',
    });
  }

  /** What must not happen at all, or seldom where a process that is to answer within its deadline gets no time to do so. */
  none(criterion: string, count: number, of = ''): void {
    this.tell({
      criterion,
      bound: '0',
      measured: `${count}${of && ` of ${of}`}`,
      ok: count === 0 ? 'yes' : count <= SELDOM * (crowd() - 1) ? 'slow' : 'NO',
    });
  }

  /** What must be so and nothing else. `of`: among how many. */
  is(criterion: string, measured: unknown, expected: unknown, of = ''): void {
    const ok = JSON.stringify(measured) === JSON.stringify(expected) ? 'yes' : 'NO';
    this.tell({
      criterion,
      bound: show(expected),
      measured: `${show(measured)}${of && ` of ${of}`}`,
      ok,
    });
  }

  /** A number to know, with no bound. */
  note(criterion: string, measured: string): void {
    this.tell({ criterion, bound: '', measured, ok: '' });
  }

  private tell(line: Omit<Line, 'row' | 'fault'>): void {
    const { criterion, bound, measured, ok } = line;
    if (ok === 'NO') this.broken.push(`${criterion}: ${measured}, and must be ${bound}`);
    const file = join(process.env[PASSED_ON.runFolder]!, TABLE_FILE);
    appendFileSync(file, `${JSON.stringify({ row: this.number, fault: this.fault, ...line })}\n`);
  }
}

function show(value: unknown): string {
  if (typeof value !== 'number') return typeof value === 'string' ? value : JSON.stringify(value);
  return Number.isInteger(value) || Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1);
}
