import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { env } from 'node:process';
import { BuiltDemo } from './built-demo.js';

describe('the demo of domain events', () => {
  let demo: BuiltDemo;

  beforeAll(async () => {
    demo = await BuiltDemo.build('domain-events');
  });
  afterAll(() => demo.remove());

  it('K3 an event of one process → entry and copy are gone in the other, which reads the new price', async () => {
    const { exitCode, output } = await demo.run([], { REDIS_URL: env.TEST_REDIS_URL! });
    const said = output
      .split('\n')
      .filter((line) => line.startsWith('  '))
      .map((line) => line.trim().split(/ {2,}/));
    expect(said).toEqual([
      ['shop', 'the price of tea is 3', 'read from the database'],
      ['shop', 'the price of tea is 3', 'a copy in the process'],
      ['office', 'the price of tea is 4 from now on', 'price.changed, then @CacheEvict'],
      ['shop', 'price:tea is outdated', 'no copy any more'],
      ['shop', 'the price of tea is 4', 'read from the database'],
    ]);
    expect(output).toContain('The database was asked twice');
    expect(exitCode).toBe(0);
  });

  it('K3 a Redis that does not answer → an error for people, and no process is left', async () => {
    const { exitCode, output } = await demo.run([], { REDIS_URL: 'redis://127.0.0.1:1' });
    expect(output).toMatch(/^\s*The Redis that REDIS_URL names does not answer [^\n]*\s*$/);
    expect(exitCode).toBe(1);
  });
});
