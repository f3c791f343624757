import { readRecord, type StoredRecord } from '../../../lib/codec/envelope.js';
import type { EntryStore } from '../../../lib/store/entry-store.js';
import type { TestCache } from '../../support/caches.js';

/** The store below everything, of whatever topology. */
const storeOf = ({ engine }: TestCache): EntryStore =>
  (engine as unknown as { parts: { store: EntryStore } }).parts.store;

const redisKeyOf = ({ engine }: TestCache, key: string): string =>
  engine.keySpace().entry(key).redisKey;

/** The bytes at a key. */
export const readStored = (cache: TestCache, key: string): Promise<Buffer | null> =>
  storeOf(cache).read(redisKeyOf(cache, key));

/** The value at a key; the test fails if there is none. */
export async function storedAt(
  cache: TestCache,
  key: string,
): Promise<Extract<StoredRecord, { type: 'value' }>> {
  const record = readRecord((await readStored(cache, key))!);
  if (record.type !== 'value') throw new Error(`a ${record.type} is there`);
  return record;
}

/** Puts the body of a record somewhere, as somebody else might. */
export async function plant(cache: TestCache, key: string, record: Buffer): Promise<void> {
  const body = record.subarray(21);
  const request = { newId: '0'.repeat(20), body, softMs: 0, ttlMs: 0 };
  await storeOf(cache).write(redisKeyOf(cache, key), request);
}
