/** Below the folder of the run. */
export const TABLE_FILE = 'faults.jsonl';

/** One criterion under one fault. */
export interface Line {
  row: string;
  fault: string;
  criterion: string;
  /** What must hold; empty: nothing. */
  bound: string;
  measured: string;
  /** `slow`: beyond the bound, by less than what a busy machine accounts for. */
  ok: 'yes' | 'slow' | 'NO' | '';
}

const COLUMNS = ['row', 'fault', 'criterion', 'bound', 'measured', 'ok'] as const;
/** What is longer, an error for instance, is cut. */
const WIDEST = 66;

/** The lines by row, each fault named once. */
export function layOut(lines: readonly Line[]): string {
  const ordered = lines.toSorted(
    (a, b) => parseInt(a.row) - parseInt(b.row) || compare(a.row, b.row),
  );
  const cells = ordered.map((line, i) => {
    const before = ordered[i - 1];
    const isSame = before?.row === line.row && before.fault === line.fault;
    return COLUMNS.map((column) =>
      isSame && (column === 'row' || column === 'fault') ? '' : line[column].slice(0, WIDEST),
    );
  });
  const widths = COLUMNS.map((column, i) =>
    Math.max(column.length, ...cells.map((line) => line[i]!.length)),
  );
  const write = (line: readonly string[]): string =>
    line
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width));
  return [write(COLUMNS), write(rule), ...cells.map(write)].join('\n');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
