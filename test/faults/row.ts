import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { PASSED_ON } from '../support/start-server.js';
import { TABLE_FILE, type Line } from './table.js';

/** Otherwise, with `TEST_FAULTS=short`, faults are short, load is less, and some are left out. */
export const WHOLE = process.env.TEST_FAULTS === 'whole';

/** So long in the whole suite, and so long in the short one. */
export const lasting = (wholeMs: number, shortMs: number): number => (WHOLE ? wholeMs : shortMs);

/** On a machine that does other things as well, times are several times what they are. */
const SLACK = 3;

/** One fault, and what was measured under it against what must hold. */
export class Row {
  /** What did not hold. */
  readonly broken: string[] = [];

  constructor(
    private readonly number: string,
    private readonly fault: string,
  ) {}

  /** What is about time, or about what the machine does: beyond the bound it is slow, beyond `slack` times that it fails. */
  atMost(
    criterion: string,
    measured: number,
    { bound, unit = 'ms', slack = SLACK }: { bound: number; unit?: string; slack?: number },
  ): void {
    const isWithin = measured <= bound;
    const ok = isWithin ? 'yes' : measured <= bound * slack ? 'slow' : 'NO';
    this.tell({
      criterion,
      bound: `≤ ${show(bound)} ${unit}`,
      measured: `${show(measured)} ${unit}`,
      ok,
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
