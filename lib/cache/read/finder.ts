import { types } from 'node:util';
import type { EntryKey } from '../../keys/key-space.js';
import { isValid, knows } from '../../tags/tag-table.js';
import {
  fitted,
  isReadable,
  look,
  seen,
  type EntryKind,
  type Opened,
  type ValueRecord,
} from '../entry.js';
import { hasOwnReading, type ReadSettings } from '../entry.options.js';
import type { EvictJournal } from '../evict-journal.js';
import { goOnWithout } from '../failure.js';
import type { CacheParts } from '../parts.js';
import { isCurrent, keep, type Copy, type Stamp } from '../tier.js';
import type { EntryFormats } from './entry-formats.js';
import { bypassed, UNREACHABLE, type Found, type Hit, type InGrace } from './found.js';
import { OpenedBefore } from './opened-before.js';
import type { OpenedEntry } from './opened-entry.js';
import { Looks, type Fetched, type Wanted } from './looks.js';

/** A record, and what has been made of it. */
interface There {
  readonly record: ValueRecord;
  readonly value: OpenedEntry | undefined;
}

/** Looks entries up: among the copies of this process, then in Redis, judged by the tag table. */
export class Finder {
  private readonly looks: Looks;
  private readonly openedBefore = new OpenedBefore();

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
    const copy = this.parts.tier?.get(key.redisKey, key.shortcut);
    if (copy?.kind !== kind || !isCurrent(copy) || !isReadable(copy.value, reads)) return undefined;
    return this.state.journal.blocks(key.redisKey) ? undefined : copy;
  }

  /** For who may load what is not there: all who find one key in a tick share their look. */
  find(wanted: Wanted): Promise<Found> {
    return this.findAs(wanted, (found) => found, 'shared');
  }

  /** What `as` makes of it, in as few promises as can be: they are much of what a read costs, and to share its look were a tenth. */
  findAs<T>(wanted: Wanted, as: (found: Found) => T, how: 'at' | 'shared' = 'at'): Promise<T> {
    const without = (error: unknown): T => {
      goOnWithout(this.parts, { operation: wanted.operation, returning: undefined }, error);
      return as(UNREACHABLE);
    };
    const atOnce = this.atOnce(wanted);
    if (!atOnce)
      return this.looks[how](wanted).then((fetched) => {
        const found = this.judgeOnce(wanted, fetched);
        return types.isPromise(found) ? found.then(as, without) : as(found);
      }, without);
    if (!types.isPromise(atOnce)) return Promise.resolve(as(atOnce));
    return atOnce.then((found) => (found ? as(found) : this.lookUp(wanted).then(as, without)));
  }

  /** The same for who answers for a failure himself: rejects where Redis cannot be reached. */
  async seek(wanted: Wanted): Promise<Found> {
    return (await this.atOnce(wanted)) ?? this.lookUp(wanted);
  }

  /** For each what there is, looked up together, or the error. */
  async seekMany(wanted: readonly Wanted[]): Promise<(Found | { error: unknown })[]> {
    const found: (Found | { error: unknown })[] = [];
    const asked: number[] = [];
    for (const [i, each] of wanted.entries()) {
      const atOnce = this.atOnce(each);
      const here = types.isPromise(atOnce) ? await atOnce.catch(asError) : atOnce;
      if (here) found[i] = here;
      else asked.push(i);
    }
    const looks = await this.looks.atMany(asked.map((i) => wanted[i]!));
    // All at once: the tags of those that need another look at the table are asked for together.
    const later: Promise<unknown>[] = [];
    for (const [n, i] of asked.entries()) {
      const { fetched, error } = looks[n]!;
      const judged = fetched ? this.judge(wanted[i]!, fetched) : { error };
      if (!types.isPromise(judged)) found[i] = judged;
      else later.push(judged.catch(asError).then((each) => (found[i] = each)));
    }
    await Promise.all(later);
    return found;
  }

  /** What it takes no look at Redis to find. */
  atOnce(wanted: Wanted): Found | undefined | Promise<Hit | undefined> {
    return this.isBlocked(wanted) ? bypassed(wanted.key, this.parts.settings) : this.copy(wanted);
  }

  private async lookUp(wanted: Wanted): Promise<Found> {
    return this.judgeOnce(wanted, await this.looks.at(wanted));
  }

  /** An evict of this key has not reached Redis, so what is there must not be used. */
  private isBlocked({ key }: Wanted): boolean {
    return this.state.journal.blocks(key.redisKey);
  }

  /** As `peek`, if it is what the reader wants; later only where a schema has to say so. */
  private copy(wanted: Wanted): Hit | undefined | Promise<Hit | undefined> {
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

  /** As `judge`, once for all whose look it was and who take a value as it is. */
  private judgeOnce(wanted: Wanted, fetched: Fetched): Found | Promise<Found> {
    const { found, party } = fetched;
    if (!party || wanted.kind !== 'value' || hasOwnReading(wanted.reads))
      return this.judge(wanted, fetched);
    if (!found) return (fetched.found = this.judge(wanted, fetched));
    const given = (each: Found): Found => {
      if (each.state === 'hit') this.used(wanted.key, each.value);
      return each;
    };
    return types.isPromise(found) ? found.then(given) : given(found);
  }

  /** What was found is to this reader; later only where the table has to be asked for further tags. */
  private judge(wanted: Wanted, fetched: Fetched): Found | Promise<Found> {
    const found = this.appraise(wanted, fetched);
    return types.isPromise(found)
      ? found.then((each) => this.unlessBlocked(wanted, each))
      : this.unlessBlocked(wanted, found);
  }

  /** The evict of this key may have failed while the read was under way. */
  private unlessBlocked(wanted: Wanted, found: Found): Found {
    return this.isBlocked(wanted) ? UNREACHABLE : found;
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
    const openIf = (valid: boolean): Found | Promise<Found> =>
      valid
        ? this.open(wanted, fetched, { record, value: before?.value })
        : unusable(record, fetched);
    return !versions || knows(versions, c0, tags)
      ? openIf(isValid(c0, tags, versions))
      : this.isStillValid(key, { c0, tags }).then(openIf);
  }

  /** Later only where there is much to decompress. */
  private open(wanted: Wanted, fetched: Fetched, { record, value }: There): Found | Promise<Found> {
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
    const stamp = { c0: header.c0, tags: header.tags };
    keep(this.parts, key, { note, kind, id, value, stamp, bytes: bytes!.length });
    this.used(key, value);
    return this.fitting({ state: 'hit', source: 'hit', id, value }, wanted);
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

const asError = (error: unknown): { error: unknown } => ({ error });

/** A value that this reader cannot use, and that its load may replace. */
const unusable = ({ id }: ValueRecord, { versions, party }: Fetched): Found => ({
  state: 'absent',
  reject: id,
  c0: versions?.clock,
  party,
});
