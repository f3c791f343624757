import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { env } from 'node:process';
import { BuiltDemo, type DemoRun } from './built-demo.js';

interface Run extends DemoRun {
  /** Cells of the table's rows, by the row's name. */
  rows: Record<string, string[]>;
}

describe('the stampede demo', () => {
  let demo: BuiltDemo;

  beforeAll(async () => {
    demo = await BuiltDemo.build('stampede');
  });
  afterAll(() => demo.remove());

  async function run(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Run> {
    const { exitCode, output } = await demo.run(args, environment);
    const lines = output.split('\n').map((line) => line.split(/ {2,}/));
    const rows = Object.fromEntries(
      lines.filter((line) => line.length === 6).map(([name, ...cells]) => [name, cells]),
    ) as Record<string, string[]>;
    return { exitCode, output, rows };
  }

  const small = ['--processes', '2', '--callers', '20', '--load', '100'];

  it.each([
    ['REDIS_URL', () => ({ REDIS_URL: env.TEST_REDIS_URL! }), 'at REDIS_URL'],
    ['no REDIS_URL', () => ({}), 'started for the demo'],
  ])(
    'O9 %s → 40 loads, 2 loads, 1 load',
    async (_, environment, says) => {
      const { exitCode, output, rows } = await run(small, environment());
      expect(output).toContain(says);
      const loadsAndValues = Object.entries(rows).map(([name, cells]) => [
        name,
        ...cells.slice(0, 2),
      ]);
      expect(loadsAndValues).toEqual([
        ['', 'loads', 'values seen'],
        ['without a cache', '40', '40'],
        ['a cache in each process', '2', '2'],
        ['nestjs-redis-cache on Redis', '1', '1'],
      ]);
      for (const waits of Object.values(rows)
        .slice(1)
        .map((cells) => cells.slice(2))) {
        const ms = waits.map((wait) => Number(wait.replace(/ ms|,/g, '')));
        // Timers may be a millisecond early.
        expect(ms[0]).toBeGreaterThanOrEqual(99);
        expect(ms).toEqual(ms.toSorted((a, b) => a - b));
      }
      expect(output).toMatch(/on Redis +loads 1, served 40 of 40, /);
      expect(exitCode).toBe(0);
    },
    60_000,
  );

  it('no Redis and no way to start one → one message that says what to install', async () => {
    const { exitCode, output } = await run(small, {
      TEST_REDIS_PROVIDER: 'process',
      TEST_REDIS_BINARY: '',
      PATH: '',
    });
    expect(output).toMatch(/^\nThe demo needs Redis or Valkey[^]*apt-get install redis-server/);
    expect(output).not.toContain('    at ');
    expect(exitCode).toBe(1);
  });

  it('a REDIS_URL that does not answer → says so', async () => {
    const { exitCode, output } = await run(small, { REDIS_URL: 'redis://:secret@127.0.0.1:1' });
    expect(output).toMatch(/^\nThe Redis that REDIS_URL names does not answer \(.+\)\. Start it/);
    expect(output).not.toContain('secret');
    expect(exitCode).toBe(1);
  });

  it.each([
    [['--callers', '0'], "--callers is '0'; it may be a whole number from 1 to 10000"],
    [['--load', '1e3'], "--load is '1e3'"],
    [['--proceses', '2'], '--proceses'],
  ])('wrong arguments %j → a message, and nothing is started', async (args, says) => {
    const { exitCode, output } = await run(args);
    expect(output).toContain(says);
    expect(output.trim().split('\n')).toHaveLength(1);
    expect(exitCode).toBe(1);
  });
});
