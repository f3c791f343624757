import type { Spread } from './sampling.js';

export type Cell = number | Spread | string;

/** Rows and columns are known by their names when two saved tables are compared. A column's name has its unit. */
export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
  /** What the reader has to know beside the numbers. */
  readonly remarks?: readonly string[];
  readonly plot?: Plot;
}

export interface Row {
  readonly name: string;
  readonly cells: readonly Cell[];
  /** Where it is in the plot. */
  readonly point?: { readonly series: string; readonly x: number };
}

/** How the rows with a point are drawn, once the table is saved. */
export interface Plot {
  /** Of the file, behind that of the question. */
  readonly name: string;
  /** What the points lie along, with its unit. */
  readonly x: string;
  readonly xScale: Scale;
  /** One panel each, side by side. */
  readonly panels: readonly { readonly column: string; readonly scale: Scale }[];
}

/** `symlog` is `log` with a zero. */
export type Scale = 'linear' | 'log' | 'symlog';

export function print({ title, columns, rows, remarks = [] }: Table): string {
  const lines = rows.map(({ name, cells }) => [name, ...cells.map(show)]);
  return [`\n${title}\n`, grid([['', ...columns], ...lines]), ...remarks.map((r) => `  ${r}`)].join(
    '\n',
  );
}

/** Columns as wide as they need to be; the first one reads from the left, the others are numbers. */
export function grid(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const pad = (cell: string, i: number): string =>
    i === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[i]!);
  return lines.map((line) => `  ${line.map(pad).join('   ')}`.trimEnd()).join('\n');
}

export function show(cell: Cell): string {
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'number') return digits(cell);
  return `${digits(cell.median)} (${digits(cell.min)} – ${digits(cell.max)})`;
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const three = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

/** More than three digits are noise, except where they are in front of the point. */
const digits = (value: number): string =>
  (Math.abs(value) >= 100 || Number.isInteger(value) ? whole : three).format(value);
