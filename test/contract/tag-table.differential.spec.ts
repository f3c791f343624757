import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import {
  check,
  load,
  memoryTags,
  redisTags,
  type Entry,
  type TagBackend,
} from './support/tag-backends.js';

/** So few that sequences reach the limit; time plays no part. */
const LIMITS = { keepMs: 86_400_000, maxTags: 4 };
const TAGS = ['a', 'b', 'c', 'd', 'e', 'f', '*', '\ud800'];

type Step = (backend: TagBackend, path: string, entries: Entry[]) => Promise<unknown>;

const tags = fc.subarray(TAGS);
const step: fc.Arbitrary<[string, Step]> = fc.oneof(
  tags.map((of): [string, Step] => [
    `load ${of.join()}`,
    async ({ tables: [table] }, path, entries) => {
      entries.push(await load(table, `${path}:k${entries.length}`, of));
    },
  ]),
  tags.map((of): [string, Step] => [
    `bump ${of.join()}`,
    async ({ tables: [table] }, path) => (await table.bump(path, of)) > 0,
  ]),
  fc.constant<[string, Step]>([
    'clear',
    async ({ tables: [table] }, path) => (await table.clear(path)) > 0,
  ]),
  fc.constant<[string, Step]>(['lose', (backend, path) => backend.lose(path)]),
  tags.map((of): [string, Step] => [
    `versions ${of.join()}`,
    async ({ tables: [table] }, path) => {
      const versions = await table.versions(`${path}:k`, of);
      if (!versions) return undefined;
      const { clock, floor } = versions;
      return ranks([clock, floor, ...of.map((tag) => Math.max(versions.tags.get(tag)!, floor))]);
    },
  ]),
);

/**
 * Two tables have different clocks; what must agree is the order. Of tags with one version any may be forgotten first,
 * since the floor then says the same.
 */
function ranks(versions: readonly number[]): number[] {
  const sorted = [...new Set(versions)].toSorted((a, b) => a - b);
  return versions.map((version) => sorted.indexOf(version));
}

describe('TagTable, memory against Redis', () => {
  let backends: TagBackend[];

  beforeAll(async () => {
    backends = await Promise.all([memoryTags(LIMITS), redisTags(LIMITS)]);
  });
  afterAll(() => Promise.all(backends.map((backend) => backend.close())));

  it('any sequence of steps → the same versions in order, the same entries valid after each', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const path = `differential/${randomUUID()}`;
        const [memory, redis] = await Promise.all(
          backends.map(async (backend) => {
            const entries: Entry[] = [];
            const seen: unknown[] = [];
            for (const [name, act] of steps) {
              const answer = await act(backend, path, entries);
              const valid: boolean[] = [];
              for (const entry of entries) valid.push(await check(backend.tables[0], entry));
              seen.push({ name, answer, valid });
            }
            await backend.lose(path);
            return seen;
          }),
        );
        expect(memory).toEqual(redis);
      }),
      { numRuns: 400 },
    );
  }, 60_000);
});
