import { atEndOfTick, deferred } from '../../common/async.js';
import { PassingList, type Link } from '../../common/passing-list.js';
import type { EntryKey } from '../../keys/key-space.js';
import type { Note } from '../../l1/epochs.js';
import type { Reads } from '../../store/entry-store.js';
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
  /** Nobody is given the value, so its life is not prolonged. */
  readonly looksOnly?: true;
}

/** What came from Redis for one key, and what was true of it before that was asked for. */
export interface Fetched {
  readonly bytes: Buffer | null;
  readonly versions: TagVersions | undefined;
  readonly note: Note | undefined;
  /** Those whose look it was, if they are several. */
  readonly party: Party | undefined;
  /** What it is to those who have no reading of their own, once one of them has come to know. */
  found?: Found | Promise<Found> | undefined;
}

/** Looks that travel together, and that one copy of a tag table judges. They are over at once, so that one promise will do for all. */
class Batch implements Link<Batch> {
  /** By key. */
  readonly looks = new Map<string, Look>();
  before: Batch | undefined;
  after: Batch | undefined;
  /** Why nothing has come. */
  failure: { readonly error: unknown } | undefined;
  private bytes: readonly (Buffer | null)[] | undefined;
  private glance: { readonly versions: TagVersions | undefined } | undefined;
  private readonly answered = deferred<void>();

  constructor(
    readonly reads: Reads,
    private readonly underWay: PassingList<Batch>,
  ) {
    underWay.add(this);
  }

  /** Never rejects. */
  get over(): Promise<void> {
    return this.answered.promise;
  }

  get versions(): TagVersions | undefined {
    return this.glance?.versions;
  }

  readonly read = (bytes: readonly (Buffer | null)[]): void => {
    this.bytes = bytes;
    this.settle();
  };

  readonly judgedBy = (versions: TagVersions | undefined): void => {
    this.glance = { versions };
    this.settle();
  };

  readonly fail = (error: unknown): void => {
    if (this.failure) return;
    this.failure = { error };
    this.end();
  };

  private settle(): void {
    const { bytes } = this;
    if (!bytes || !this.glance) return;
    let i = 0;
    for (const look of this.looks.values()) look.bytes = bytes[i++] ?? null;
    this.end();
  }

  private end(): void {
    this.underWay.delete(this);
    this.answered.resolve();
  }
}

/** One look at a key, of all who ask for it in one tick. */
export class Look implements Fetched {
  bytes: Buffer | null = null;
  party: Party | undefined;
  found: Found | Promise<Found> | undefined;

  constructor(
    readonly redisKey: string,
    /** That the entry probably has. */
    public tags: readonly string[] | undefined,
    readonly note: Note | undefined,
    private readonly batch: Batch,
  ) {}

  get over(): Promise<void> {
    return this.batch.over;
  }

  get versions(): TagVersions | undefined {
    return this.batch.versions;
  }

  get failure(): Batch['failure'] {
    return this.batch.failure;
  }

  /** One more whose look this is, before it is sent. */
  share({ tags = [] }: Wanted): void {
    for (const tag of tags) if (!this.tags?.includes(tag)) this.tags = [...(this.tags ?? []), tag];
    (this.party ??= { met: 0 }).met = nextMoment();
  }
}

/**
 * A server that has nothing to answer is sent so many looks before the tick is over, and works while the process goes on; from then
 * on the two take turns. Not where there are many in a tick: the process is busy all the time then, and more commands are
 * only more work.
 */
const EARLY = 32;
const MANY = 128;
/** Looks in one command. More are no faster, and would let the first wait for the last. */
const MOST = 512;

/**
 * The looks of one tick: one at each tag table, and one at all the entries. None joins a command that has been sent, so what a
 * look sees was read after it was asked for.
 */
export class Looks {
  /** By tag table, then by the server that has the entries; empty between ticks. */
  private batches = new Map<unknown, Map<Reads, Batch>>();
  /** Batches that the table has not answered. */
  private unanswered = 0;
  /** Looks in this tick, and the most in one lately. */
  private asked = 0;
  private mostAsked = 0;
  private readonly underWay = new PassingList<Batch>();

  constructor(private readonly parts: CacheParts) {}

  /** The same one for all who ask for a key in a tick, where that takes a trip. */
  at(wanted: Wanted): Look {
    const isIdle = this.unanswered === 0 && this.mostAsked < MANY;
    return this.join(wanted, isIdle ? EARLY : MOST);
  }

  /** Those that are under way now have been answered, or have failed. */
  async settled(): Promise<void> {
    await Promise.all(this.underWay.items().map(({ over }) => over));
  }

  /** In as few commands as can be. */
  atMany(wanted: readonly Wanted[]): Look[] {
    return wanted.map((each) => this.join(each, MOST));
  }

  /** `most` are sent before this one joins others. */
  private join(wanted: Wanted, most: number): Look {
    const { store, tier } = this.parts;
    const { redisKey } = wanted.key;
    const batch = store.isRemote
      ? this.batchFor(redisKey, most)
      : new Batch(store.readsOf(redisKey), this.underWay);
    let look = batch.looks.get(redisKey);
    if (look) look.share(wanted);
    else {
      look = new Look(redisKey, wanted.tags, tier?.note(redisKey), batch);
      batch.looks.set(redisKey, look);
      if (store.isRemote) this.asked++;
      else this.fetch(batch);
    }
    return look;
  }

  /** The one that a look at this key joins. */
  private batchFor(redisKey: string, most: number): Batch {
    const { store, tags } = this.parts;
    const table = tags.tableOf(redisKey);
    const reads = store.readsOf(redisKey);
    if (this.asked === 0) atEndOfTick(this.fetchAll);
    let batches = this.batches.get(table);
    if (!batches) this.batches.set(table, (batches = new Map()));
    let batch = batches.get(reads);
    if (batch && batch.looks.size >= most) {
      this.fetch(batch);
      reads.flush();
      batch = undefined;
    }
    if (!batch) batches.set(reads, (batch = new Batch(reads, this.underWay)));
    return batch;
  }

  private readonly fetchAll = (): void => {
    const { batches } = this;
    this.batches = new Map();
    this.mostAsked = Math.max(this.asked, this.mostAsked * 0.9);
    this.asked = 0;
    for (const each of batches.values()) for (const batch of each.values()) this.fetch(batch);
    // The tick is over: nobody joins them any more.
    for (const each of batches.values()) for (const reads of each.keys()) reads.flush();
  };

  private fetch(batch: Batch): void {
    const { tags, mirror } = this.parts;
    const keys = [...batch.looks.keys()];
    this.unanswered++;
    tags.glance(keys[0]!, likelyTags(batch)).then(
      (versions) => {
        this.unanswered--;
        mirror.note(pathOf(keys[0]!), versions);
        batch.judgedBy(versions);
      },
      (error: unknown) => {
        this.unanswered--;
        batch.fail(error);
      },
    );
    batch.reads.readAll(keys).then(batch.read, batch.fail);
  }
}

const NO_TAGS: readonly string[] = [];

function likelyTags({ looks }: Batch): readonly string[] {
  let likely: Set<string> | undefined;
  for (const { tags } of looks.values())
    if (tags) for (const tag of tags) (likely ??= new Set()).add(tag);
  return likely ? [...likely] : NO_TAGS;
}
