import { CacheConnectionError } from '../common/errors.js';
import { notEvicted } from './failure.js';
import type { EntryKey } from '../keys/key-space.js';
import { factsOf } from '../store/record.js';
import { isValid, knows, type TagVersions } from '../tags/tag-table.js';
import { look, type EntryKind, type ValueRecord } from './entry.js';
import type { EvictJournal } from './evict-journal.js';
import type { CacheParts } from './parts.js';
import { isStillValid } from './still-valid.js';

/** What is at a key, and whether it counts: its tags, its namespace, the layout it was written under. */
export type Look = { readonly bytes: Buffer | null; readonly versions: TagVersions | undefined } & (
  | { readonly state: 'live'; readonly record: ValueRecord; readonly facts: Buffer }
  /** `reject`: fill id of a value that does not count, or ''. */
  | { readonly state: 'none'; readonly reject: string }
);

/** More in a row have not been seen: each takes somebody else who stores another kind of value in between. */
const MOST_ROUNDS = 100;

/**
 * Changes values where they are. They are read first, past every copy, and compared with the tag table, as a script cannot
 * do; the change itself says `unlike` if something else is there by then, and all is done again.
 */
export class LiveLook {
  constructor(
    private readonly parts: CacheParts,
    private readonly journal: EvictJournal,
  ) {}

  /** Rejects where Redis cannot be reached, and while an evict of this key has not reached it. */
  async change<T>(
    key: EntryKey,
    kinds: readonly EntryKind[],
    step: (look: Look) => Promise<T | 'unlike'>,
  ): Promise<T> {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const result = await step(await this.at(key, kinds));
      if (result !== 'unlike') return result;
    }
    throw new CacheConnectionError(
      `Each of ${MOST_ROUNDS} times something else was stored at this key in between; try again`,
      { key: key.given },
    );
  }

  private async at(key: EntryKey, kinds: readonly EntryKind[]): Promise<Look> {
    const { store, tags, layout } = this.parts;
    if (this.journal.blocks(key.redisKey)) throw notEvicted(key.given);
    // In one tick, so that both travel together.
    const [bytes, versions] = await Promise.all([
      store.read(key.redisKey),
      tags.glance(key.redisKey, []),
    ]);
    let reject = '';
    for (const kind of kinds) {
      const seen = look(bytes, { key, kind }, layout);
      if (seen.state === 'absent') reject = seen.reject;
      if (seen.state !== 'usable') continue;
      const { record } = seen;
      if (await this.isValid(key, record, versions))
        return { bytes, versions, state: 'live', record, facts: factsOf(bytes!, record.payload) };
      reject = record.id;
    }
    return { bytes, versions, state: 'none', reject };
  }

  private async isValid(
    key: EntryKey,
    { header: { c0, tags } }: ValueRecord,
    versions: TagVersions | undefined,
  ): Promise<boolean> {
    if (!versions || knows(versions, c0, tags)) return isValid(c0, tags, versions);
    return isStillValid(this.parts, key, { c0, tags });
  }
}
