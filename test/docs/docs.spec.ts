import { beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { ExampleRun, type Problems } from './example-run.js';
import { findExamples } from './examples.js';
import { brokenLinks } from './links.js';

const DOCS = readdirSync('docs').filter((file) => file.endsWith('.md'));
const PAGES = ['README.md', 'CONTRIBUTING.md', ...DOCS.map((file) => `docs/${file}`)];
const CONTROLS = 'test/docs/controls.md';

const examples = findExamples(PAGES);
const controls = findExamples([CONTROLS]);

let typeErrors: Problems;
let failures: Problems;

beforeAll(async () => {
  const run = await ExampleRun.make([...examples, ...controls]);
  try {
    const [types, ...runs] = await Promise.all([
      run.typeErrors(),
      run.run(examples, 10_000),
      run.run(controls, 1000),
    ]);
    typeErrors = types;
    failures = new Map(runs.flatMap((problems) => [...problems]));
  } finally {
    await run.remove();
  }
}, 60_000);

describe('examples in the documentation', () => {
  it.each(examples.map(({ title }) => title))('%s → compiles and runs', (title) => {
    expect([typeErrors.get(title), failures.get(title)]).toEqual([undefined, undefined]);
  });

  it('names → each once in its page', () => {
    const names = examples.map(({ page, name }) => `${page} ${name}`);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });
});

describe('examples with something wrong', () => {
  const titleOf = (name: string): string => controls.find((e) => e.name === name)!.title;
  const typeErrorsOf = (name: string): string | undefined => typeErrors.get(titleOf(name));
  const failureOf = (name: string): string | undefined => failures.get(titleOf(name));

  it('one that is right → nothing is said of it', () => {
    expect([typeErrorsOf('right'), failureOf('right')]).toEqual([undefined, undefined]);
  });

  it.each([
    ['throws', `${CONTROLS}:19: Error: no cats`],
    ['rejects where nobody waits', `${CONTROLS}:25: Error: unheard`],
    ['never ends', `${CONTROLS}:30: Error: not at its end after 1000 ms`],
    ['imports what is not there', `${CONTROLS}:43: `],
    ['ends the process', `${CONTROLS}:49: the process ended before its end`],
    ['comes after that', `${CONTROLS}:54: the process ended before its end`],
  ])('%s → fails with its line in the page', (name, message) => {
    expect(failureOf(name)).toContain(message);
  });

  it('wrong type → fails with its line in the page, and runs all the same', () => {
    expect(typeErrorsOf('wrong type')).toMatch(`${CONTROLS}:38: TS2322: `);
    expect(failureOf('wrong type')).toBeUndefined();
    expect(typeErrorsOf('imports what is not there')).toMatch(`${CONTROLS}:43: TS2305: `);
  });
});

describe('links in the documentation', () => {
  it('each → leads to a file, and to a heading of it', () => {
    expect(brokenLinks(PAGES)).toEqual([]);
  });

  it('those that lead nowhere → are found, and no others', () => {
    expect(brokenLinks([CONTROLS])).toEqual([
      `${CONTROLS}:73: nothing.md`,
      `${CONTROLS}:73: ../../docs/locks.md#nothing`,
      `${CONTROLS}:75: nothing-either.md`,
    ]);
  });
});
