import { types } from 'node:util';
import type { EntryKey } from '../../keys/key-space.js';
import { isValid, knows } from '../../tags/tag-table.js';
import { fitted, isReadable, look, seen, type Opened, type ValueRecord } from '../entry.js';
import { hasOwnReading } from '../entry.options.js';
import type { EvictJournal } from '../evict-journal.js';
import type { CacheParts } from '../parts.js';
import { isStillValid } from '../still-valid.js';
import { keep } from '../tier.js';
import type { EntryFormats } from './entry-formats.js';
import { UNREACHABLE, type Found, type Hit, type InGrace } from './found.js';
import type { Fetched, Wanted } from './looks.js';
import { OpenedBefore } from './opened-before.js';
import type { OpenedEntry } from './opened-entry.js';

/** A record, and what has been made of it. */
interface There {
  readonly record: ValueRecord;
  readonly value: OpenedEntry | undefined;
}

export interface JudgeState {
  readonly journal: EvictJournal;
  readonly formats: EntryFormats;
  /** A value has been read whose life that prolongs. */
  readonly onSliding: (key: EntryKey, value: Opened) => void;
}

/** What the bytes at a key are to who has looked: a value that counts, by the tag table as of then, or what else. */
export class Judge {
  private readonly openedBefore = new OpenedBefore();
  private readonly underWay = new Set<Promise<unknown>>();

  constructor(
    private readonly parts: CacheParts,
    private readonly state: JudgeState,
  ) {}

  /** A value has been found; who only looks does not use it. */
  found({ key, looksOnly }: Wanted, value: Opened): void {
    if (!looksOnly) this.used(key, value);
  }

  /** A value is given to a reader. */
  used(key: EntryKey, value: Opened): void {
    if (value.sliding) this.state.onSliding(key, value);
  }

  /** Once for all whose look it was and who take a value as it is; later only where the table has to be asked for further tags. */
  of(wanted: Wanted, fetched: Fetched): Found | Promise<Found> {
    const { found, party } = fetched;
    if (!party || wanted.kind !== 'value' || hasOwnReading(wanted.reads))
      return this.judge(wanted, fetched);
    if (!found) return (fetched.found = this.judge(wanted, fetched));
    const given = (each: Found): Found => {
      if (each.state === 'hit') this.found(wanted, each.value);
      return each;
    };
    return types.isPromise(found) ? found.then(given) : given(found);
  }

  /** What is judged later, and is under way now, has been judged. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.underWay);
  }

  private judge(wanted: Wanted, fetched: Fetched): Found | Promise<Found> {
    const found = this.appraise(wanted, fetched);
    if (!types.isPromise(found)) return this.unlessBlocked(wanted, found);
    const judged = found
      .then((each) => this.unlessBlocked(wanted, each))
      .finally(() => this.underWay.delete(judged));
    this.underWay.add(judged);
    return judged;
  }

  /** The evict of this key may have failed while the read was under way. */
  private unlessBlocked(wanted: Wanted, found: Found): Found {
    return this.state.journal.blocks(wanted.key.redisKey) ? UNREACHABLE : found;
  }

  private appraise(wanted: Wanted, fetched: Fetched): Found | Promise<Found> {
    const { key } = wanted;
    const { bytes, versions, party } = fetched;
    const { layout } = this.parts;
    const before = bytes ? this.openedBefore.find(key.redisKey, bytes) : undefined;
    const there = before ? seen(before.record, wanted, layout) : look(bytes, wanted, layout);
    if (there.state !== 'usable') return { ...there, c0: versions?.clock, party };
    const { record } = there;
    const { c0, tags } = record.header;
    const whole = { record, value: before?.value };
    if (!versions || knows(versions, c0, tags))
      return this.open(wanted, fetched, whole, isValid(c0, tags, versions));
    return isStillValid(this.parts, key, { c0, tags }).then((isIt) =>
      this.open(wanted, fetched, whole, isIt),
    );
  }

  /** If it is valid; later only where there is much to decompress. */
  private open(
    wanted: Wanted,
    fetched: Fetched,
    { record, value }: There,
    isValidNow: boolean,
  ): Found | Promise<Found> {
    if (!isValidNow) return unusable(record, fetched);
    const { key, reads } = wanted;
    const serializer = reads?.serializer;
    if (value && !serializer) return this.offer(wanted, fetched, { record, value });
    const opened = this.state.formats.open(record, { key, serializer });
    const offer = (value: OpenedEntry | undefined): Found | Promise<Found> => {
      // What readers may change is not what Redis has.
      const isOurs = !serializer && this.parts.settings.isolation !== 'reference';
      if (value && isOurs)
        this.openedBefore.note(key.redisKey, { bytes: fetched.bytes!, record, value });
      return this.offer(wanted, fetched, { record, value });
    };
    return types.isPromise(opened) ? opened.then(offer) : offer(opened);
  }

  private offer(
    wanted: Wanted,
    fetched: Fetched,
    { record, value }: There,
  ): Found | Promise<Found> {
    const { key, kind, reads } = wanted;
    const { id, header } = record;
    if (!value || !isReadable(value, reads)) return unusable(record, fetched);
    const { note, bytes, party } = fetched;
    const staleMs = this.state.formats.staleMs(record, key);
    if (staleMs !== undefined)
      return this.fitting({ state: 'stale', id, value, staleMs, party }, wanted);
    if (note) keep(this.parts, key, { note, kind, id, value, stamp: header, bytes: bytes!.length });
    this.found(wanted, value);
    return this.fitting({ state: 'hit', source: 'hit', id, value }, wanted);
  }

  /** As the reader's schema has it; a value that does not match is reported, and to be replaced. */
  fitting<T extends Hit | InGrace>(found: T, { reads, operation }: Wanted): T | Promise<T | Found> {
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

/** A value that this reader cannot use, and that its load may replace. */
const unusable = ({ id }: ValueRecord, { versions, party }: Fetched): Found => ({
  state: 'absent',
  reject: id,
  c0: versions?.clock,
  party,
});
