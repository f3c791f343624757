import type { L1Cache } from '../l1/l1-cache.js';
import type { Note } from '../l1/epochs.js';
import type { EntryKey } from '../keys/key-space.js';
import type { EntryKind } from './entry.js';
import type { OpenedEntry } from './read/opened-entry.js';
import type { Horizon, TagMirror } from './tag-mirror.js';
import { pathOf } from '../tags/table-key.js';

/** What an entry is judged by: the tag clock before its load, and its tags. */
export interface Stamp {
  readonly c0: number;
  readonly tags?: readonly string[] | undefined;
}

/** What is kept of an entry in this process. */
export interface Copy {
  readonly kind: EntryKind;
  /** The fill id of the entry that this is a copy of. */
  readonly id: string;
  readonly value: OpenedEntry;
  readonly stamp: Stamp;
  /** Of the entry's namespace. */
  readonly horizon: Horizon;
}

/** The copies in this process, shared by all views of a cache. */
export type Tier = L1Cache<Copy>;

/** Keeps a copy if nothing has happened to the key since `note` was taken. */
export function keep(
  { tier, mirror }: { tier: Tier | undefined; mirror: TagMirror },
  key: EntryKey,
  copy: { note: Note | undefined; bytes: number } & Omit<Copy, 'horizon'>,
): void {
  if (!tier || !copy.note) return;
  const { note, bytes, kind, id, value, stamp } = copy;
  const horizon = mirror.of(pathOf(key.redisKey));
  const kept = { kind, id, value, stamp, horizon };
  tier.put(key.redisKey, kept, { note, bytes, freshMs: value.freshMs() });
}

/** False: one of its tags, or its namespace, has been evicted since it was loaded. */
export function isCurrent({ stamp, horizon }: Copy): boolean {
  return horizon.admits(stamp.c0, stamp.tags);
}
