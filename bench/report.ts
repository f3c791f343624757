import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format } from 'prettier';
import type { Machine } from './machine.js';
import { draw, isPlotted, WITHOUT_PLOTS } from './plot.js';
import { grid, print, show, type Cell, type Table } from './table.js';

/** One question, answered once. */
export interface Answer {
  readonly machine: Machine;
  readonly tables: readonly Table[];
}

/** What is saved under one name: the last answer to each question. */
type Answers = Readonly<Record<string, Answer>>;

const RESULTS = join(process.cwd(), 'bench', 'results');
const pathOf = (name: string): string => join(RESULTS, `${name}.json`);

/** Gives the paths: those of the tables, then those of the plots. */
export async function save(name: string, question: string, answer: Answer): Promise<string[]> {
  const answers = { ...(await readOrNothing(name)), [question]: answer };
  await mkdir(RESULTS, { recursive: true });
  // As the rest of the repository, so that it can be committed.
  await writeFile(pathOf(name), await format(JSON.stringify(answers), { parser: 'json' }));
  const text = await saveText(name, answers);
  return [pathOf(name), text, ...(await savePlots(name, question, answer))];
}

/** Writes and draws what was saved once more. */
export async function drawAgain(name: string): Promise<string[]> {
  const answers = await read(name);
  const paths = [await saveText(name, answers)];
  for (const [question, answer] of Object.entries(answers))
    paths.push(...(await savePlots(name, question, answer)));
  return paths;
}

/** All tables, for reading. */
async function saveText(name: string, answers: Answers): Promise<string> {
  const path = join(RESULTS, `${name}.txt`);
  const texts = Object.entries(answers).map(([question, { machine, tables }]) =>
    [question, headline(machine), ...tables.map(print)].join('\n'),
  );
  await writeFile(path, `${texts.join('\n\n')}\n`);
  return path;
}

async function savePlots(name: string, question: string, { tables }: Answer): Promise<string[]> {
  const drawn: string[] = [];
  for (const table of tables.filter(isPlotted)) {
    const svg = await draw(table);
    if (svg === undefined) return [WITHOUT_PLOTS];
    const path = join(RESULTS, `${name}-${question}-${table.plot.name}.svg`);
    await writeFile(path, svg);
    drawn.push(path);
  }
  return drawn;
}

/** What both names have, side by side. */
export async function compare(before: string, after: string): Promise<string> {
  const [a, b] = [await read(before), await read(after)];
  const shared = Object.keys(a).filter((question) => question in b);
  if (shared.length === 0) throw new Error(`${before} and ${after} have no question in common`);
  return shared.map((question) => compareAnswers(question, a[question]!, b[question]!)).join('\n');
}

function compareAnswers(question: string, a: Answer, b: Answer): string {
  const tables = a.tables.flatMap((table) => {
    const other = b.tables.find(({ title }) => title === table.title);
    return other ? [compareTables(table, other)] : [];
  });
  const machines = [`  A: ${headline(a.machine)}`, `  B: ${headline(b.machine)}`];
  return [`\n${question}`, ...machines, ...tables, `\n  ${LEGEND}`].join('\n');
}

const LEGEND =
  'B/A is of the medians. "=": their middle halves overlap, so the difference may be nothing but noise.';

function compareTables(a: Table, b: Table): string {
  const lines = a.rows.flatMap(({ name, cells }) => {
    const others = b.rows.find((row) => row.name === name)?.cells;
    return a.columns.flatMap((column, i) => {
      const cell = cells[i]!;
      const other = others?.[b.columns.indexOf(column)];
      if (other === undefined || typeof cell === 'string' || typeof other === 'string') return [];
      return [[`${name} · ${column}`, show(cell), show(other), change(cell, other)]];
    });
  });
  return `\n${a.title}\n\n${grid([['', 'A', 'B', 'B/A'], ...lines])}`;
}

function change(a: Exclude<Cell, string>, b: Exclude<Cell, string>): string {
  const [before, after] = [rangeOf(a), rangeOf(b)];
  const ratio = after.median === before.median ? 1 : after.median / before.median;
  const overlap = before.low <= after.high && after.low <= before.high;
  return `${ratio.toFixed(2)} ${overlap ? '=' : ' '}`;
}

const rangeOf = (cell: Exclude<Cell, string>) =>
  typeof cell === 'number' ? { median: cell, low: cell, high: cell } : cell;

export function headline({ at, versions, ...machine }: Machine): string {
  const made = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    at.slice(0, 16).replace('T', ' '),
    `${machine.cores} cores (${machine.cpu})`,
    `${machine.memoryGiB} GiB`,
    `load ${machine.load}`,
    ...made,
  ].join(' · ');
}

async function read(name: string): Promise<Answers> {
  const answers = await readOrNothing(name);
  if (answers) return answers;
  throw new Error(`Nothing is saved as '${name}': there is no ${pathOf(name)}`);
}

async function readOrNothing(name: string): Promise<Answers | undefined> {
  try {
    return JSON.parse(await readFile(pathOf(name), 'utf8')) as Answers;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
