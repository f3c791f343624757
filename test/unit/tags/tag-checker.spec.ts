import { beforeEach, describe, expect, it } from '@jest/globals';
import { TagChecker } from '../../../lib/tags/tag-checker.js';

describe('TagChecker', () => {
  interface Sent {
    place: string;
    tags: string[];
  }
  let sent: Sent[];
  let checker: TagChecker<{ id: string }, Sent>;

  beforeEach(() => {
    sent = [];
    checker = new TagChecker(async (place, tags) => {
      const read = { place: place.id, tags };
      sent.push(read);
      if (place.id === 'down') throw new Error('no answer');
      return read;
    });
  });

  const [one, two] = [{ id: 'one' }, { id: 'two' }];

  it('checks of one tick, places given anew → one read per place, of the union of tags', async () => {
    const answers = await Promise.all([
      checker.check(one, ['a', 'b']),
      checker.check(two, ['c']),
      Promise.resolve().then(() => checker.check({ id: 'one' }, ['b', 'd'])),
      checker.check(one, []),
    ]);
    const [first, second] = [
      { place: 'one', tags: ['a', 'b', 'd'] },
      { place: 'two', tags: ['c'] },
    ];
    expect(sent).toEqual([first, second]);
    expect(answers).toEqual([first, second, first, first]);
  });

  it('nothing is sent within the tick → and a later check is not joined to it', async () => {
    const first = checker.check(one, ['a']);
    expect(sent).toEqual([]);
    await first;
    await checker.check(one, ['b']);
    expect(sent.map(({ tags }) => tags)).toEqual([['a'], ['b']]);
  });

  it('1000 tags → sent at once, and the next check begins another', async () => {
    const tags = Array.from({ length: 999 }, (_, i) => `${i}`);
    const first = [checker.check(one, tags), checker.check(one, ['0'])];
    expect(sent).toEqual([]);
    first.push(checker.check(one, ['one more']));
    expect(sent).toHaveLength(1);
    const second = checker.check(one, ['a']);
    await Promise.all([...first, second]);
    expect(sent.map((read) => read.tags.length)).toEqual([1_000, 1]);
  });

  it('M6 several places in a tick, tick after tick → writes are held back for each tick, once', async () => {
    const seen: string[] = [];
    const held = new TagChecker<{ id: string }, void>(
      async ({ id }) => void seen.push(id),
      () => {
        seen.push('hold');
        return () => void seen.push('release');
      },
    );
    const three = [one, two, { id: 'three' }];
    for (let i = 0; i < 2; i++) await Promise.all(three.map((place) => held.check(place, ['a'])));
    const tick = ['hold', 'one', 'two', 'three', 'release'];
    expect(seen).toEqual([...tick, ...tick]);
    await Promise.all([held.check(one, ['a']), held.check(one, ['b'])]);
    expect(seen.slice(10)).toEqual(['one']);
  });

  it('a read fails → all of its checks, and nobody else', async () => {
    const down = { id: 'down' };
    const checks = [checker.check(down, ['a']), checker.check(one, ['a']), checker.check(down, [])];
    const statuses = (await Promise.allSettled(checks)).map(({ status }) => status);
    expect(statuses).toEqual(['rejected', 'fulfilled', 'rejected']);
  });
});
