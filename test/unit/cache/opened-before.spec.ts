import { describe, expect, it, jest } from '@jest/globals';
import { readRecord, writeBody, type EntryHeader } from '../../../lib/codec/envelope.js';
import type { ValueRecord } from '../../../lib/cache/entry.js';
import { Freshness, OpenedEntry } from '../../../lib/cache/read/opened-entry.js';
import { OpenedBefore, type Before } from '../../../lib/cache/read/opened-before.js';
import { valueRecord } from '../../../lib/store/record.js';

const HEADER: EntryHeader = {
  kind: 'value',
  isNull: false,
  serializer: 'json',
  graceMs: 0,
  c0: 1,
  topologyId: 0,
};

/** What a reader has opened, as a view of more bytes; `from`: what it was compressed from. */
function opened(content: string | number, from?: number): Before {
  const payload = Buffer.from(typeof content === 'string' ? content : 'x'.repeat(content));
  const compressed = from === undefined ? undefined : ({ algorithm: 'gzip', from } as const);
  const record = valueRecord('0'.repeat(20), writeBody({ ...HEADER, compressed }, payload), 0);
  const bytes = Buffer.concat([Buffer.alloc(100), record]).subarray(100);
  const isolated = { take: () => content, promised: async () => content };
  const key = { given: 'k', redisKey: 'test:k' };
  const freshness = new Freshness(0, key, { serverNow: Date.now });
  const value = new OpenedEntry(isolated, HEADER, freshness);
  return { bytes, record: readRecord(bytes) as ValueRecord, value };
}

/** The same bytes as they come with a later reply. */
const again = ({ bytes }: Before): Buffer => Buffer.from(bytes);

const afterTick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('OpenedBefore', () => {
  it('the very bytes, in the tick in which they were opened → found', async () => {
    const before = new OpenedBefore();
    const first = opened('a');
    before.note('k', first);
    expect(before.find('k', first.bytes)).toBe(first);
    expect(before.find('k', again(first))).toBeUndefined();
    await afterTick();
    expect(before.find('k', first.bytes)).toBeUndefined();
  });

  it('opened for the second time → found where the bytes are equal, of this key alone', async () => {
    const before = new OpenedBefore();
    const [first, second] = [opened('a'), opened('a')];
    before.note('k', first);
    before.note('k', second);
    await afterTick();
    const found = before.find('k', again(first));
    expect(found?.value).toBe(second.value);
    expect(found?.record).toEqual(second.record);
    expect(before.find('k', opened('b').bytes)).toBeUndefined();
    expect(before.find('other', again(first))).toBeUndefined();
  });

  it('what is kept → holds on to no more than the record', () => {
    const before = new OpenedBefore();
    const chunk = opened('a');
    before.note('k', opened('a'));
    before.note('k', chunk);
    before.note('other', opened('a'));
    const { bytes, record } = before.find('k', again(chunk))!;
    expect(bytes.buffer.byteLength).toBe(chunk.bytes.length);
    expect(record.payload.buffer.byteLength).toBe(chunk.bytes.length);
  });

  it('other bytes at a key that is kept → those are found, the former are not', async () => {
    const before = new OpenedBefore();
    for (const each of [opened('a'), opened('a'), opened('b')]) before.note('k', each);
    await afterTick();
    expect(before.find('k', opened('a').bytes)).toBeUndefined();
    expect(before.find('k', opened('b').bytes)?.value.take()).toBe('b');
  });

  it('10 000 keys read once → they are forgotten, and begin anew', async () => {
    const before = new OpenedBefore();
    for (let i = 0; i <= 10_000; i++) before.note(`k${i}`, opened('a'));
    before.note('k0', opened('a'));
    await afterTick();
    expect(before.find('k0', opened('a').bytes)).toBeUndefined();
    before.note('k0', opened('a'));
    await afterTick();
    expect(before.find('k0', opened('a').bytes)).toBeDefined();
  });

  it('more than 64 kB, also before it was compressed → not kept', async () => {
    for (const large of [opened(65_536), opened('a', 65_537)]) {
      const before = new OpenedBefore();
      for (let i = 0; i < 1_000; i++) before.note('k', large);
      await afterTick();
      expect(before.find('k', again(large))).toBeUndefined();
    }
  });

  it('thousands of records of 10 kB → 2 MiB of them are kept, some of the later ones too', async () => {
    const before = new OpenedBefore();
    const keys = Array.from({ length: 4_000 }, (_, i) => `k${i}`);
    const value = opened(10_000);
    for (const key of keys) for (let i = 0; i < 2; i++) before.note(key, value);
    await afterTick();
    const kept = keys.map((key) => before.find(key, again(value)) !== undefined);
    const most = Math.floor((2 * 1_024 * 1_024) / value.bytes.length);
    expect(kept.filter(Boolean)).toHaveLength(most);
    expect(kept.slice(most).filter(Boolean).length).toBeGreaterThan(0);
    expect(kept.slice(0, most).filter(Boolean).length).toBeGreaterThan(0);
  });

  it('full of records that are read no more → those that are read now take their place', async () => {
    const before = new OpenedBefore();
    const [former, present] = [opened(10_000), opened('a')];
    for (let key = 0; key < 400; key++)
      for (let i = 0; i < 2; i++) before.note(`former${key}`, former);
    const keys = Array.from({ length: 1_000 }, (_, i) => `k${i}`);
    for (let i = 0; i < 8; i++) for (const key of keys) before.note(key, present);
    await afterTick();
    expect(keys.filter((key) => !before.find(key, again(present)))).toEqual([]);
  });

  it('one key whose value changes again and again → takes the room of one', async () => {
    const before = new OpenedBefore();
    for (let i = 0; i < 100; i++) before.note('changing', opened(60_000));
    const keys = Array.from({ length: 200 }, (_, i) => `k${i}`);
    const value = opened(9_000);
    for (const key of keys) for (let i = 0; i < 2; i++) before.note(key, value);
    await afterTick();
    expect(keys.filter((key) => !before.find(key, again(value)))).toEqual([]);
  });

  it('10 000 keys that are kept → others that were read once are not forgotten for them', async () => {
    const before = new OpenedBefore();
    const value = opened('a');
    before.note('once', value);
    for (let key = 0; key < 10_000; key++)
      for (let i = 0; i < 2; i++) before.note(`kept${key}`, value);
    before.note('once', value);
    await afterTick();
    expect(before.find('once', again(value))).toBeDefined();
  });

  it('5000 in vain → all that was kept goes, those that are read now have all its room, and keep it', async () => {
    const before = new OpenedBefore();
    const value = opened(10_000);
    const most = Math.floor((2 * 1_024 * 1_024) / value.bytes.length);
    const keysOf = (name: string): string[] => Array.from({ length: most }, (_, i) => name + i);
    const [former, present, next] = [keysOf('former'), keysOf('present'), keysOf('next')];
    const noteAll = (keys: string[]): void => keys.forEach((key) => before.note(key, value));
    const found = (keys: string[]): number =>
      keys.filter((key) => before.find(key, again(value))).length;
    const random = jest.spyOn(Math, 'random').mockReturnValue(0.99);
    noteAll(former);
    noteAll(former);
    for (let turnedAway = -most; turnedAway < 5_000; turnedAway += most) noteAll(present);
    noteAll(present);
    noteAll(next);
    noteAll(next);
    random.mockRestore();
    await afterTick();
    expect([found(former), found(present), found(next)]).toEqual([0, most, 0]);
  });

  it('full, and one of the kept is found now and then → it stays', async () => {
    const before = new OpenedBefore();
    const [kept, other] = [opened(10_000), opened(60_000)];
    for (let key = 0; key < 209; key++) for (let i = 0; i < 2; i++) before.note(`k${key}`, kept);
    const random = jest.spyOn(Math, 'random').mockReturnValue(0.99);
    await afterTick();
    for (let i = 0; i < 10_000; i++) {
      if (i % 1_000 === 0) before.find('k0', again(kept));
      before.note(`other${i % 1_000}`, other);
    }
    random.mockRestore();
    await afterTick();
    expect(before.find('k0', again(kept))).toBeDefined();
  });
});
