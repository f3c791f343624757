import type { EntryKey } from '../../keys/key-space.js';
import { isValid, knows, type TagVersions } from '../../tags/tag-table.js';
import { pathOf } from '../../tags/table-key.js';
import { look, type EntryKind, type Opened, type Seen, type ValueRecord } from '../entry.js';
import type { EvictJournal } from '../evict-journal.js';
import type { CacheParts } from '../parts.js';
import { isCurrent, keep, type Copy, type Stamp } from '../tier.js';
import type { EntryFormats } from './entry-formats.js';

/** A hit, what there is instead, or that Redis cannot or must not be asked. `c0` is the tag clock as of this look. */
export type Found =
  | { state: 'hit'; source: 'copy' | 'hit'; id: string; value: Opened }
  | (Exclude<Seen, { state: 'usable' }> & { c0?: number })
  | { state: 'unreachable' };

const UNREACHABLE: Found = { state: 'unreachable' };

export interface Wanted {
  readonly key: EntryKey;
  readonly kind: EntryKind;
  /** Tags that the entry probably has: they spare a second look at the table. */
  readonly tags?: readonly string[];
  /** In errors and reports. */
  readonly operation: string;
}

/** Looks entries up: among the copies of this process, then in Redis, judged by the tag table. */
export class Finder {
  constructor(
    private readonly parts: CacheParts,
    private readonly state: { journal: EvictJournal; formats: EntryFormats },
  ) {}

  /** The copy in this process, if there is one that may be used. */
  peek(key: EntryKey, kind: EntryKind): Copy | undefined {
    const copy = this.parts.tier?.get(key.redisKey);
    if (copy?.kind !== kind || !isCurrent(copy)) return undefined;
    return this.state.journal.blocks(key.redisKey) ? undefined : copy;
  }

  async find(wanted: Wanted): Promise<Found> {
    const { key, kind, operation } = wanted;
    const { journal } = this.state;
    if (journal.blocks(key.redisKey)) return UNREACHABLE;
    const copy = this.peek(key, kind);
    if (copy) return { state: 'hit', source: 'copy', ...copy };
    try {
      const found = await this.read(wanted);
      // The evict of this key may have failed while the read was under way.
      return journal.blocks(key.redisKey) ? UNREACHABLE : found;
    } catch (error) {
      if (this.parts.settings.failure === 'strict') throw error;
      this.parts.reporter.report(operation, undefined, error);
      return UNREACHABLE;
    }
  }

  /** Whether no tag of the entry, nor its namespace, has been evicted since it was loaded, as of now. Rejects as a read does. */
  async isStillValid(key: EntryKey, { c0, tags }: Stamp): Promise<boolean> {
    return isValid(c0, tags, await this.parts.tags.versions(key.redisKey, tags ?? []));
  }

  private async read({ key, kind, tags }: Wanted): Promise<Found> {
    const { store, tier, mirror, layout } = this.parts;
    const note = tier?.note(key.redisKey);
    // In one tick, so that both travel together.
    const [bytes, versions] = await Promise.all([
      store.read(key.redisKey),
      this.parts.tags.glance(key.redisKey, tags ?? []),
    ]);
    mirror.of(pathOf(key.redisKey)).note(versions);
    const c0 = versions?.clock;
    const seen = look(bytes, { key, kind, layout });
    if (seen.state !== 'usable') return { ...seen, c0 };
    const { id } = seen.record;
    const value = (await this.isValid(key, seen.record, versions))
      ? this.state.formats.open(seen.record)
      : undefined;
    if (!value) return { state: 'absent', reject: id, c0 };
    const { header } = seen.record;
    const stamp = { c0: header.c0, tags: header.tags };
    keep(this.parts, key, { note, kind, id, value, stamp, bytes: bytes!.length });
    return { state: 'hit', source: 'hit', id, value };
  }

  private async isValid(
    key: EntryKey,
    { header }: ValueRecord,
    versions: TagVersions | undefined,
  ): Promise<boolean> {
    const { c0, tags } = header;
    if (!versions || knows(versions, c0, tags)) return isValid(c0, tags, versions);
    return this.isStillValid(key, { c0, tags });
  }
}
