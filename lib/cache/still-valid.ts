import type { EntryKey } from '../keys/key-space.js';
import { isValid } from '../tags/tag-table.js';
import type { CacheParts } from './parts.js';
import type { Stamp } from './tier.js';

/** Whether no tag of the entry, nor its namespace, has been evicted since it was loaded, as of now. Rejects as a read does. */
export async function isStillValid(
  { tags: table }: Pick<CacheParts, 'tags'>,
  { redisKey }: EntryKey,
  { c0, tags }: Stamp,
): Promise<boolean> {
  return isValid(c0, tags, await table.versions(redisKey, tags ?? []));
}

/** Without an answer it is not: the caller reads again, and finds out that Redis cannot be reached. */
export async function isSurelyValid(
  parts: Pick<CacheParts, 'tags'>,
  key: EntryKey,
  stamp: Stamp,
): Promise<boolean> {
  try {
    return await isStillValid(parts, key, stamp);
  } catch {
    return false;
  }
}
