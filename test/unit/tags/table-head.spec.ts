import { describe, expect, it } from '@jest/globals';
import { deferred } from '../../../lib/common/async.js';
import { KnownTable } from '../../../lib/tags/table-head.js';
import { knows } from '../../../lib/tags/tag-table.js';

const lookAt = (table: KnownTable, head: string) =>
  table.lookBy(Promise.resolve(Buffer.from(head))).versions;

describe('KnownTable', () => {
  it('G4 versions that were read before the head has changed come late → not known under that head', async () => {
    const table = new KnownTable();
    await lookAt(table, '4 0');
    const late = { clock: 4, floor: 0, tags: new Map([['t', 3]]) };
    await lookAt(table, '5 0');
    table.learn(late);
    expect(knows((await lookAt(table, '5 0'))!, 4, ['t'])).toBe(false);
    table.learn({ ...late, clock: 5, tags: new Map([['t', 5]]) });
    expect((await lookAt(table, '5 0'))!.tags.get('t')).toBe(5);
    await lookAt(table, '6 6');
    table.learn({ ...late, clock: 6, floor: 0 });
    expect(knows((await lookAt(table, '6 6'))!, 6, ['t'])).toBe(true);
    expect((await lookAt(table, '6 6'))!.tags.has('t')).toBe(false);
  });

  it('G4 more tags than are remembered → those of before are forgotten', async () => {
    const table = new KnownTable();
    await lookAt(table, '4 0');
    const learn = (begin: number, count: number): void =>
      table.learn({
        clock: 4,
        floor: 0,
        tags: new Map(Array.from({ length: count }, (_, i) => [`t${begin + i}`, 3])),
      });
    learn(0, 10_000);
    expect((await lookAt(table, '4 0'))!.tags.size).toBe(10_000);
    learn(10_000, 1);
    expect([...(await lookAt(table, '4 0'))!.tags.keys()]).toEqual(['t10000']);
  });

  it('G4 looks that overlap → one for each reading, for as long as its bytes are waited for', async () => {
    const table = new KnownTable();
    const [early, late] = [deferred<Buffer | null>(), deferred<Buffer | null>()];
    const first = table.lookBy(early.promise);
    expect(table.lookBy(early.promise)).toBe(first);
    const second = table.lookBy(late.promise);
    early.resolve(Buffer.from('4 0'));
    await first.versions;
    expect(table.lookBy(late.promise)).toBe(second);
    late.resolve(Buffer.from('5 0'));
    expect((await second.versions)!.clock).toBe(5);
    expect(table.lookBy(late.promise)).not.toBe(second);
  });

  it('G4 a head that is there again → is not missing any more, and nothing of before is known', async () => {
    const table = new KnownTable();
    await lookAt(table, '4 0');
    table.learn({ clock: 4, floor: 0, tags: new Map([['t', 3]]) });
    expect(await table.lookBy(Promise.resolve(null)).versions).toBeUndefined();
    expect(table.headIsMissing).toBe(true);
    const versions = (await lookAt(table, '4 0'))!;
    expect(table.headIsMissing).toBe(false);
    expect([versions.clock, versions.floor, versions.tags.size]).toEqual([4, 0, 0]);
  });

  it.each(['', 'x', '4', '4 ', '4 0 0', '4 0\n', '-4 0', '4.5 0', '12345678901234567 0'])(
    'G4 %j → no head',
    async (text) => {
      const table = new KnownTable();
      expect(await lookAt(table, text)).toBeUndefined();
      expect(table.headIsMissing).toBe(true);
    },
  );
});
