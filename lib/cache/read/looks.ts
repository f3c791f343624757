import { atEndOfTick } from '../../common/async.js';
import type { EntryKey } from '../../keys/key-space.js';
import type { Note } from '../../l1/epochs.js';
import type { BytesTaker } from '../../store/entry-store.js';
import { pathOf } from '../../tags/table-key.js';
import type { TagVersions } from '../../tags/tag-table.js';
import type { EntryKind } from '../entry.js';
import type { ReadSettings } from '../entry.options.js';
import { nextMoment } from '../flights.js';
import type { CacheParts } from '../parts.js';
import type { Found } from './found.js';
import type { Party } from './party.js';

export interface Wanted {
  readonly key: EntryKey;
  readonly kind: EntryKind;
  /** Tags that the entry probably has: they spare a second look at the table. */
  readonly tags?: readonly string[] | undefined;
  /** In errors and reports. */
  readonly operation: string;
  /** What the reader can make use of. */
  readonly reads?: ReadSettings | undefined;
}

/** What came from Redis for one key, and what was true of it before that was asked for. */
export interface Fetched {
  readonly bytes: Buffer | null;
  readonly versions: TagVersions | undefined;
  readonly note: Note | undefined;
  /** Those whose look it was, if they are several. */
  readonly party: Party | undefined;
  /** What it is to those who have no reading of their own, once one of them has come to know. */
  found?: Found | Promise<Found>;
}

/** Looks that one copy of a tag table judges. */
interface Batch {
  readonly looks: Look[];
  /** Once the table has answered. */
  glance?: { versions: TagVersions | undefined };
}

/**
 * One look, from when it is asked for. It is over when both the entry and the tag table have answered, or one of them failed: then
 * `settled` is called, rather than promised to, for there are thousands in a tick. That is in the context of whoever asked
 * first, so nothing of the application's may run in it.
 */
class Look implements BytesTaker {
  /** What has come; undefined after a failure. */
  fetched: Fetched | undefined;
  error: unknown;
  private bytes: Buffer | null | undefined;
  private isOver = false;
  /** Tags that the entry probably has. */
  tags: readonly string[] | undefined;
  private party: Party | undefined;

  constructor(
    readonly wanted: Wanted,
    private readonly batch: Batch,
    private readonly note: Note | undefined,
    private readonly settled: (look: Look) => void,
  ) {
    this.tags = wanted.tags;
  }

  /** One more whose look this is, before it is sent. */
  share({ tags = [] }: Wanted): void {
    for (const tag of tags) if (!this.tags?.includes(tag)) this.tags = [...(this.tags ?? []), tag];
    (this.party ??= { met: 0 }).met = nextMoment();
  }

  give(bytes: Buffer | null): void {
    this.bytes = bytes;
    this.settle();
  }

  settle(): void {
    const { bytes, note, batch, party } = this;
    if (bytes === undefined || !batch.glance || this.isOver) return;
    this.isOver = true;
    this.fetched = { bytes, versions: batch.glance.versions, note, party };
    this.settled(this);
  }

  refuse(error: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    this.error = error;
    this.settled(this);
  }
}

/**
 * A server that has nothing to answer is sent so many looks before the tick is over, and works while the process goes on; from then
 * on the two take turns. Not where there are many in a tick: the process is busy all the time then, and more commands are
 * only more work.
 */
const EARLY = 32;
const MANY = 128;

/**
 * The looks of one tick: one at each tag table, and one at all the entries. None joins a command that has been sent, so what a
 * look sees was read after it was asked for.
 */
export class Looks {
  /** By tag table; empty between ticks. */
  private batches = new Map<unknown, Batch>();
  /** Batches that the table has not answered. */
  private unanswered = 0;
  /** Looks in this tick, and the most in one lately. */
  private asked = 0;
  private mostAsked = 0;
  /** By key, those that others may share; empty between ticks. */
  private unsent = new Map<string, { look: Look; fetched: Promise<Fetched> }>();

  constructor(private readonly parts: CacheParts) {}

  at(wanted: Wanted): Promise<Fetched> {
    this.sendEarly(wanted);
    return new Promise((resolve, reject) => {
      this.send(wanted, ({ fetched, error }) => (fetched ? resolve(fetched) : reject(error)));
    });
  }

  /** The same one for all who ask for a key by this in a tick, where that takes a trip. */
  shared(wanted: Wanted): Promise<Fetched> {
    const { redisKey } = wanted.key;
    const same = this.unsent.get(redisKey);
    if (same) {
      same.look.share(wanted);
      return same.fetched;
    }
    this.sendEarly(wanted);
    let look: Look | undefined;
    const fetched = new Promise<Fetched>((resolve, reject) => {
      look = this.send(wanted, (own) => (own.fetched ? resolve(own.fetched) : reject(own.error)));
    });
    if (look && this.parts.store.isRemote) this.unsent.set(redisKey, { look, fetched });
    return fetched;
  }

  /** All in one tick, so that they travel together. */
  atMany(wanted: readonly Wanted[]): Promise<readonly Pick<Look, 'fetched' | 'error'>[]> {
    return new Promise((resolve) => {
      let left = wanted.length;
      const settled = (): void => {
        if (--left === 0) resolve(looks);
      };
      const looks = wanted.map((each) => this.send(each, settled));
      if (left === 0) resolve(looks);
    });
  }

  private send(wanted: Wanted, settled: (look: Look) => void): Look {
    const { store, tier } = this.parts;
    const note = tier?.note(wanted.key.redisKey);
    const batch = store.isRemote ? this.batchFor(wanted) : { looks: [] };
    const look = new Look(wanted, batch, note, settled);
    batch.looks.push(look);
    if (!store.isRemote) this.fetch(batch);
    return look;
  }

  private batchFor({ key }: Wanted): Batch {
    const table = this.parts.tags.tableOf(key.redisKey);
    let batch = this.batches.get(table);
    if (!batch) {
      if (this.batches.size === 0) atEndOfTick(this.fetchAll);
      this.batches.set(table, (batch = { looks: [] }));
    }
    this.asked++;
    return batch;
  }

  /** Before the tick is over: what is there already of those that come one by one. */
  private sendEarly({ key: { redisKey } }: Wanted): void {
    if (this.asked < EARLY || this.unanswered > 0 || this.mostAsked >= MANY) return;
    const { store, tags } = this.parts;
    const table = tags.tableOf(redisKey);
    const batch = this.batches.get(table);
    if (!batch || batch.looks.length < EARLY) return;
    this.batches.set(table, { looks: [] });
    // Nobody may share them any more.
    this.unsent = new Map();
    this.fetch(batch);
    store.sendReads?.(redisKey);
  }

  private readonly fetchAll = (): void => {
    const { batches } = this;
    this.batches = new Map();
    this.mostAsked = Math.max(this.asked, this.mostAsked * 0.9);
    this.asked = 0;
    if (this.unsent.size > 0) this.unsent = new Map();
    const asked = [...batches.values()].filter(({ looks }) => looks.length > 0);
    for (const batch of asked) this.fetch(batch);
    // The tick is over: nobody joins them any more.
    for (const { looks } of asked) this.parts.store.sendReads?.(looks[0]!.wanted.key.redisKey);
  };

  private fetch(batch: Batch): void {
    const { store, tags, mirror } = this.parts;
    const { redisKey } = batch.looks[0]!.wanted.key;
    this.unanswered++;
    tags.glance(redisKey, likelyTags(batch)).then(
      (versions) => {
        this.unanswered--;
        mirror.note(pathOf(redisKey), versions);
        batch.glance = { versions };
        for (const look of batch.looks) look.settle();
      },
      (error: unknown) => {
        this.unanswered--;
        for (const look of batch.looks) look.refuse(error);
      },
    );
    for (const look of batch.looks) store.readTo(look.wanted.key.redisKey, look);
  }
}

function likelyTags({ looks }: Batch): readonly string[] {
  if (looks.length === 1) return looks[0]!.tags ?? [];
  const likely = new Set<string>();
  for (const { tags } of looks) for (const tag of tags ?? []) likely.add(tag);
  return [...likely];
}
