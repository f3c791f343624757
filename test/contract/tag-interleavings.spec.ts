import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { isValid } from '../../lib/tags/tag-table.js';
import { memoryTags, redisTags, shardedTags, type TagBackend } from './support/tag-backends.js';

const TAGS = ['x', 'y'] as const;

interface Happening {
  began: number;
  /** Infinity while it is under way. */
  ended: number;
}

interface Evict extends Happening {
  /** Undefined: of everything, by a clear or by the loss of the table. */
  readonly tags?: readonly string[];
}

interface Load extends Happening {
  readonly redisKey: string;
  readonly tags: readonly string[];
  c0: number;
}

interface Verdict extends Happening {
  readonly of: Load;
  valid: boolean;
}

/** Everything that happened in one run, with the moments at which it began and ended as its caller saw it. */
class History {
  readonly evicts: Evict[] = [];
  readonly loads: Load[] = [];
  readonly verdicts: Verdict[] = [];
  private readonly pending = new Set<Promise<unknown>>();
  private moment = 0;

  begin<T extends Happening>(happening: T, act: (happening: T) => Promise<void>): T {
    happening.began = this.moment++;
    const running = act(happening).then(() => {
      happening.ended = this.moment++;
      this.pending.delete(running);
    });
    this.pending.add(running);
    return happening;
  }

  async settle(): Promise<void> {
    while (this.pending.size > 0) await Promise.all(this.pending);
  }

  /** What the table must have said of this entry; undefined: it may say either. */
  required({ of, began, ended }: Verdict): boolean | undefined {
    const concerns = ({ tags }: Evict): boolean => !tags || tags.some((t) => of.tags.includes(t));
    const evicts = this.evicts.filter(concerns);
    if (evicts.some((evict) => of.ended < evict.began && evict.ended < began)) return false;
    if (evicts.every((evict) => evict.ended < of.began || evict.began > ended)) return true;
    return undefined;
  }
}

type Step = (run: { backend: TagBackend; path: string; history: History }) => Promise<void>;

const none = { began: 0, ended: Infinity };
const process = fc.constantFrom(0 as const, 1 as const);
const tags = fc.subarray([...TAGS]);

const steps: fc.Arbitrary<[string, Step]> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(process, tags, fc.nat(3)).map(([p, of, key]): [string, Step] => [
      `${p} loads ${of.join()}`,
      async ({ backend, path, history }) => {
        const load = { ...none, redisKey: `${path}:k${key}`, tags: of, c0: NaN };
        history.loads.push(load);
        history.begin(load, async () => {
          load.c0 = await backend.tables[p].clock(load.redisKey);
        });
      },
    ]),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(process, fc.nat()).map(([p, which]): [string, Step] => [
      `${p} checks ${which}`,
      async ({ backend, history }) => {
        const loaded = history.loads.filter(({ ended }) => ended < Infinity);
        const of = loaded[which % loaded.length];
        if (!of) return;
        const verdict = { ...none, of, valid: false };
        history.verdicts.push(verdict);
        history.begin(verdict, async () => {
          const versions = await backend.tables[p].versions(of.redisKey, of.tags);
          verdict.valid = isValid(of.c0, of.tags, versions);
        });
      },
    ]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(process, fc.subarray([...TAGS], { minLength: 1 }))
      .map(([p, of]): [string, Step] => [
        `${p} bumps ${of.join()}`,
        async ({ backend, path, history }) => {
          const evict = history.begin({ ...none, tags: of }, async () => {
            await backend.tables[p].bump(path, of);
          });
          history.evicts.push(evict);
        },
      ]),
  },
  {
    weight: 1,
    arbitrary: process.map((p): [string, Step] => [
      `${p} clears`,
      async ({ backend, path, history }) => {
        const evict = history.begin({ ...none }, async () => {
          await backend.tables[p].clear(path);
        });
        history.evicts.push(evict);
      },
    ]),
  },
  {
    weight: 1,
    arbitrary: fc.constant<[string, Step]>([
      'the table is lost',
      async ({ backend, path, history }) => {
        history.evicts.push(history.begin({ ...none }, () => backend.lose(path)));
      },
    ]),
  },
  {
    weight: 3,
    arbitrary: fc.constant<[string, Step]>(['a turn', () => new Promise(setImmediate)]),
  },
  {
    weight: 2,
    arbitrary: fc.constant<[string, Step]>(['all ends', ({ history }) => history.settle()]),
  },
);

describe.each([
  ['memory', memoryTags],
  ['redis', redisTags],
  ['redis, 3 copies', () => redisTags(undefined, { copies: 3 })],
  ['two shards', shardedTags],
] satisfies [string, () => Promise<TagBackend>][])('tags in %s, in any order', (_name, start) => {
  let backend: TagBackend;
  beforeAll(async () => {
    backend = await start();
  });
  afterAll(() => backend.close());

  it('an entry loaded before an evict → invalid once that has returned; loaded after all of them → valid', async () => {
    const seen = { invalid: 0, valid: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 60, size: 'max' }), async (sequence) => {
        const history = new History();
        const path = `order/${randomUUID()}`;
        for (const [, act] of sequence) await act({ backend, path, history });
        await history.settle();
        for (const verdict of history.verdicts) {
          const required = history.required(verdict);
          if (required === undefined) continue;
          seen[required ? 'valid' : 'invalid']++;
          expect({ ...verdict, evicts: history.evicts }).toMatchObject({ valid: required });
        }
        await backend.lose(path);
      }),
      { numRuns: 300 },
    );
    // Neither half of the property is empty.
    expect(seen.invalid).toBeGreaterThan(20);
    expect(seen.valid).toBeGreaterThan(20);
  }, 60_000);
});
