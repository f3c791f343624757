import { beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryTagTable } from '../../../lib/tags/memory-tag-table.js';
import { isValid } from '../../../lib/tags/tag-table.js';
import { ManualClock } from '../../contract/support/manual-clock.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe('MemoryTagTable and time', () => {
  let clock: ManualClock;
  let table: MemoryTagTable;

  beforeEach(() => {
    clock = new ManualClock();
    table = new MemoryTagTable({ clock });
  });

  const isValidNow = async (c0: number, tags: string[], path = 'p'): Promise<boolean> =>
    isValid(c0, tags, await table.versions(`${path}:k`, tags));

  it('versions — the wall clock in µs, and one more where it stands', async () => {
    const now = clock.now() * 1_000;
    expect(await table.clock('p:k')).toBe(now);
    expect(await table.bump('p', ['x'])).toBe(now + 1);
    clock.advance(1);
    expect(await table.clear('p')).toBe(now + 1_000);
    expect(await table.clear('p')).toBe(now + 1_001);
  });

  it('the wall clock goes back — versions grow, evicts are as good as before', async () => {
    const c0 = await table.clock('p:k');
    let last = await table.bump('p', ['y']);
    for (let i = 0; i < 5; i++) {
      clock.wallOffsetMs -= HOUR;
      const version = await table.bump('p', ['x']);
      expect(version).toBe(last + 1);
      last = version;
      expect(await isValidNow(c0, ['x'])).toBe(false);
      expect(await isValidNow(await table.clock('p:k'), ['x'])).toBe(true);
    }
    expect(await isValidNow(c0, [])).toBe(true);
  });

  it('a tag — known for 7 days after its last bump, and then the base', async () => {
    const c0 = await table.clock('p:k');
    clock.advance(1);
    const version = await table.bump('p', ['x']);
    clock.advance(7 * DAY - 1);
    await table.bump('p', ['y']);
    expect(await isValidNow(c0, [])).toBe(true);
    expect((await table.versions('p:k', ['x']))!.tags.get('x')).toBe(version);
    clock.advance(1);
    await table.bump('p', ['y']);
    const { floor, tags } = (await table.versions('p:k', ['x']))!;
    expect([floor, tags.get('x')]).toEqual([version, 0]);
    expect([await isValidNow(c0, []), await isValidNow(version, ['x'])]).toEqual([false, true]);
  });

  it('more than 10 000 namespaces — the first table goes, safely although the wall clock goes back', async () => {
    const c0 = await table.clock('p:k');
    await table.bump('p', ['x']);
    clock.wallOffsetMs -= DAY;
    for (let i = 0; i < 10_000; i++) await table.clock(`other${i}:k`);
    expect(await table.versions('p:k', ['x'])).toBeUndefined();
    expect(await isValidNow(c0, ['x'])).toBe(false);
    expect(await isValidNow(await table.clock('p:k'), ['x'])).toBe(true);
    const { tables } = table as unknown as { tables: Map<string, unknown> };
    expect(tables.size).toBe(10_000);
  });
});
