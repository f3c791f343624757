import { types } from 'node:util';
import type { EntryKey } from '../../keys/key-space.js';
import { isValid, knows } from '../../tags/tag-table.js';
import {
  fitted,
  isReadable,
  look,
  type EntryKind,
  type Opened,
  type Seen,
  type ValueRecord,
} from '../entry.js';
import type { ReadSettings } from '../entry.options.js';
import type { EvictJournal } from '../evict-journal.js';
import { goOnWithout } from '../failure.js';
import type { CacheParts } from '../parts.js';
import { isCurrent, keep, type Copy, type Stamp } from '../tier.js';
import type { EntryFormats } from './entry-formats.js';
import { Looks, type Fetched, type Wanted } from './looks.js';

/** A hit, what there is instead, or that Redis cannot or must not be asked. `c0` is the tag clock as of this look. */
export type Found =
  Hit | InGrace | (Exclude<Seen, { state: 'usable' }> & { c0?: number }) | { state: 'unreachable' };

export interface Hit {
  readonly state: 'hit';
  readonly source: 'copy' | 'hit';
  readonly id: string;
  readonly value: Opened;
}

/** A value past its ttl, which may stand in for one that cannot be loaded, and else counts as absent. */
export interface InGrace {
  readonly state: 'stale';
  readonly id: string;
  readonly value: Opened;
  /** How long it has been past its ttl. */
  readonly staleMs: number;
}

const UNREACHABLE: Found = { state: 'unreachable' };

/** Looks entries up: among the copies of this process, then in Redis, judged by the tag table. */
export class Finder {
  private readonly looks: Looks;

  constructor(
    private readonly parts: CacheParts,
    private readonly state: {
      readonly journal: EvictJournal;
      readonly formats: EntryFormats;
      /** A value has been read whose life that prolongs. */
      readonly onSliding: (key: EntryKey, value: Opened) => void;
    },
  ) {
    this.looks = new Looks(parts);
  }

  /** What has been found here is given to a reader. */
  used(key: EntryKey, value: Opened): void {
    if (value.sliding) this.state.onSliding(key, value);
  }

  /** The copy in this process, if there is one that may be used. */
  peek(key: EntryKey, kind: EntryKind, reads?: ReadSettings): Copy | undefined {
    const copy = this.parts.tier?.get(key.redisKey);
    if (copy?.kind !== kind || !isCurrent(copy) || !isReadable(copy.value, reads)) return undefined;
    return this.state.journal.blocks(key.redisKey) ? undefined : copy;
  }

  async find(wanted: Wanted): Promise<Found> {
    try {
      return await this.seek(wanted);
    } catch (error) {
      goOnWithout(this.parts, { operation: wanted.operation, returning: undefined }, error);
      return UNREACHABLE;
    }
  }

  /** The same for who answers for a failure himself: rejects where Redis cannot be reached. */
  async seek(wanted: Wanted): Promise<Found> {
    const { redisKey } = wanted.key;
    const { journal } = this.state;
    if (journal.blocks(redisKey)) return UNREACHABLE;
    const copy = this.copy(wanted);
    const hit = types.isPromise(copy) ? await copy : copy;
    if (hit) return hit;
    const judged = this.judge(wanted, await this.looks.at(wanted));
    const found = types.isPromise(judged) ? await judged : judged;
    // The evict of this key may have failed while the read was under way.
    return journal.blocks(redisKey) ? UNREACHABLE : found;
  }

  /** As `peek`, if it is what the reader wants; later only where a schema has to say so. */
  copy(wanted: Wanted): Hit | undefined | Promise<Hit | undefined> {
    const copy = this.peek(wanted.key, wanted.kind, wanted.reads);
    if (!copy) return undefined;
    this.used(wanted.key, copy.value);
    const found = this.fitting({ state: 'hit', source: 'copy', ...copy }, wanted);
    const hit = (each: Found): Hit | undefined => (each.state === 'hit' ? each : undefined);
    return types.isPromise(found) ? found.then(hit) : hit(found);
  }

  /** Whether no tag of the entry, nor its namespace, has been evicted since it was loaded, as of now. Rejects as a read does. */
  async isStillValid(key: EntryKey, { c0, tags }: Stamp): Promise<boolean> {
    return isValid(c0, tags, await this.parts.tags.versions(key.redisKey, tags ?? []));
  }

  /** Without an answer it is not: the caller reads again, and finds out that Redis cannot be reached. */
  async isSurelyValid(key: EntryKey, stamp: Stamp): Promise<boolean> {
    try {
      return await this.isStillValid(key, stamp);
    } catch {
      return false;
    }
  }

  /** What was found is to this reader; later only where the table has to be asked for further tags. */
  judge(wanted: Wanted, fetched: Fetched): Found | Promise<Found> {
    const { key, kind } = wanted;
    const { bytes, versions } = fetched;
    const seen = look(bytes, { key, kind, layout: this.parts.layout });
    if (seen.state !== 'usable') return { ...seen, c0: versions?.clock };
    const { record } = seen;
    const { c0, tags } = record.header;
    if (!versions || knows(versions, c0, tags))
      return this.open(wanted, record, { ...fetched, valid: isValid(c0, tags, versions) });
    return this.isStillValid(key, { c0, tags }).then((valid) =>
      this.open(wanted, record, { ...fetched, valid }),
    );
  }

  /** Later only where there is much to decompress. */
  private open(
    wanted: Wanted,
    record: ValueRecord,
    { bytes, versions, note, valid }: Fetched & { valid: boolean },
  ): Found | Promise<Found> {
    const { formats } = this.state;
    const { key, kind, reads } = wanted;
    const { id, header } = record;
    const found = (value: Opened | undefined): Found | Promise<Found> => {
      if (!value || !isReadable(value, reads))
        return { state: 'absent', reject: id, c0: versions?.clock };
      const staleMs = formats.staleMs(record, key);
      if (staleMs !== undefined)
        return this.fitting({ state: 'stale', id, value, staleMs }, wanted);
      const stamp = { c0: header.c0, tags: header.tags };
      keep(this.parts, key, { note, kind, id, value, stamp, bytes: bytes!.length });
      this.used(key, value);
      return this.fitting({ state: 'hit', source: 'hit', id, value }, wanted);
    };
    const { serializer } = reads ?? {};
    const opened = valid ? formats.open(record, { key, serializer }) : undefined;
    return types.isPromise(opened) ? opened.then(found) : found(opened);
  }

  /** As the reader's schema has it; a value that does not match is reported, and to be replaced. */
  private fitting<T extends Hit | InGrace>(
    found: T,
    { reads, operation }: Wanted,
  ): T | Promise<T | Found> {
    const { schema } = reads ?? {};
    if (!schema) return found;
    return fitted(found.value, schema).then(
      (value) => ({ ...found, value }),
      (error: unknown) => {
        this.parts.meter.count('undecodable');
        this.parts.reporter.report(operation, undefined, error);
        return { state: 'absent', reject: found.id };
      },
    );
  }
}
