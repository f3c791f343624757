import type { L1Cache } from '../l1/l1-cache.js';
import type { Note } from '../l1/epochs.js';
import type { EntryKey } from '../keys/key-space.js';
import type { EntryKind, Opened } from './entry.js';

/** What is kept of an entry in this process. */
export interface Copy {
  readonly kind: EntryKind;
  /** The fill id of the entry that this is a copy of. */
  readonly id: string;
  readonly value: Opened;
}

/** The copies in this process, shared by all views of a cache. */
export type Tier = L1Cache<Copy>;

/** Keeps a copy if nothing has happened to the key since `note` was taken. */
export function keep(
  tier: Tier | undefined,
  key: EntryKey,
  copy: { note: Note | undefined; bytes: number } & Copy,
): void {
  const { note, bytes, kind, id, value } = copy;
  if (!tier || !note) return;
  tier.put(key.redisKey, { kind, id, value }, { note, bytes, freshMs: value.freshMs() });
}
