import { spreadsOf, underLoad, type Load, type Sample } from '../load.js';
import { interleave, type Contender } from '../sampling.js';
import type { Cell, Plot, Table } from '../table.js';

/** Short, since there are a hundred subjects and more. */
const ROUNDS = { rounds: 5, warmUps: 1 };
export const ROUND_MS = 150;

export const COLUMNS = {
  perSecond: 'calls per second',
  medianMs: 'median, ms',
  p99Ms: '99 %, ms',
  clientUs: 'client CPU, µs a call',
  serverUs: 'Redis CPU, µs a call',
} as const satisfies Record<keyof Sample, string>;

/** One line of the table, and one point of the plot. */
export interface Subject {
  readonly series: string;
  readonly x: number;
  measure(): Promise<Sample>;
  /** In further columns. */
  readonly more?: readonly Cell[];
}

export interface Axis {
  readonly title: string;
  /** Of the plot's file. */
  readonly name: string;
  readonly x: string;
  readonly xScale?: Plot['xScale'];
  /** Names of further columns. */
  readonly more?: readonly string[];
  readonly panels?: Plot['panels'];
  readonly remarks?: readonly string[];
}

const PANELS: Plot['panels'] = [
  { column: COLUMNS.perSecond, scale: 'log' },
  { column: COLUMNS.medianMs, scale: 'log' },
  { column: COLUMNS.clientUs, scale: 'log' },
  { column: COLUMNS.serverUs, scale: 'log' },
];

/** Calls of one kind, from this process. */
export function calls(
  at: Pick<Subject, 'series' | 'x' | 'more'>,
  load: Omit<Load, 'forMs'>,
): Subject {
  return { ...at, measure: () => underLoad({ ...load, forMs: ROUND_MS }) };
}

/** Measures all of them in turn. */
export async function measureAlong(axis: Axis, subjects: readonly Subject[]): Promise<Table> {
  const { title, name, x, xScale = 'log', more = [], panels = PANELS, remarks } = axis;
  const contenders = subjects.map((subject): Contender<Sample> => ({
    name: subject.series,
    measure: () => subject.measure(),
  }));
  const samples = await interleave(contenders, ROUNDS);
  const bySeries = [...new Set(subjects.map(({ series }) => series))];
  const rows = subjects.map((subject, i) => {
    const { perSecond, medianMs, p99Ms, clientUs, serverUs } = spreadsOf(samples[i]!);
    const cells = [perSecond, medianMs, p99Ms, clientUs, serverUs, ...(subject.more ?? [])];
    const point = { series: subject.series, x: subject.x };
    return { name: `${subject.series}: ${subject.x.toLocaleString('en')}`, cells, point };
  });
  return {
    title,
    columns: [...Object.values(COLUMNS), ...more],
    rows: bySeries.flatMap((series) => rows.filter(({ point }) => point.series === series)),
    remarks,
    plot: { name, x, xScale, panels },
  };
}

/** A further panel, for each axis that has one. */
export const panelsWith = (column: string, scale: Plot['xScale'] = 'log'): Plot['panels'] => [
  ...PANELS,
  { column, scale },
];

/** Whatever JSON has so many bytes: a few fields, and text. */
export function valueOf(bytes: number): object {
  const value = { id: 1, text: '' };
  value.text = 'x'.repeat(Math.max(0, bytes - JSON.stringify(value).length));
  return value;
}

export function isThere(value: unknown): void {
  if (value == null) throw new Error('A miss, where a hit is measured');
}

/** Neighbours are far apart, so that no two callers ask for the same key at the same time. */
export const spread = (n: number, count: number): number => (n * 7_919) % count;

export const NAMES = { ours: 'nestjs-redis-cache', raw: 'ioredis' } as const;
