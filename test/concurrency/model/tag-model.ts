import { addEvictors, addSymmetries, entryModel, type Crowd } from './entry-model.js';
import { ReadHooks, type Callers } from './read-hooks.js';
import { stamped, stampOf, versionOf } from './redis-entry.js';
import type { Weakening } from './weakenings.js';
import type { RecordOf, World } from './world.js';

const { max } = Math;

const TABLE = {
  present: 'flag',
  clock: 3,
  base: 3,
  tag: 3,
  /** The server's time: it moves on whenever a version is issued, and no version is ahead of it. */
  time: 3,
  /** How often the table may still be lost. */
  losses: 2,
} as const;

/** Versions of a table that was lost while they were asked for: nothing that is stored is as new. */
const NEVER = 7;

/** A reader's question for versions, beside its GET. */
const READ = {
  phase: ['none', 'sent', 'read'],
  /** A value must have been loaded under at least this version. */
  least: 3,
} as const;

/** A flight's question for the clock, beside ACQUIRE. */
const CLOCK = { phase: ['none', 'sent', 'read'], c0: 3 } as const;

/** One table of versions, for the one tag of the one entry; a namespace's clear is a tag that all entries have. */
class TagTable extends ReadHooks {
  readonly table: RecordOf<typeof TABLE>;
  private reads!: RecordOf<typeof READ>[];
  private clocks!: RecordOf<typeof CLOCK>[];

  constructor(
    private readonly world: World,
    private readonly losses: number,
  ) {
    super();
    this.table = world.record(TABLE);
  }

  override attach(callers: Callers): void {
    super.attach(callers);
    const { world, table } = this;
    this.reads = world.records('reader', callers.readers.length, READ);
    this.clocks = world.records('flight', callers.loads.flights.length, CLOCK);
    this.reads.forEach((_, i) => this.addReads(i));
    const mayBeLost = (): boolean => table.present && table.losses > 0;
    const isOld = (): boolean => table.tag > 0;
    world.perhaps('the table is lost', mayBeLost, () => {
      Object.assign(table, { present: false, clock: 0, base: 0, tag: 0, losses: table.losses - 1 });
    });
    world.perhaps('old tags are dropped', isOld, () => {
      if (!world.weak('gcbase')) table.base = max(table.base, table.tag);
      table.tag = 0;
    });
  }

  override start(): number {
    const { losses } = this;
    Object.assign(this.table, { present: true, clock: 1, base: 1, time: 1, losses });
    return stamped(0, 1);
  }

  bump(): void {
    this.init();
    this.table.present = true;
    this.table.tag = this.table.clock = ++this.table.time;
  }

  override getSent(reader: number): void {
    const read = this.reads[reader]!;
    if (this.world.weak('checkearly') && read.phase === 'read') return;
    read.phase = 'sent';
    read.least = 0;
  }

  override getComplete(reader: number): boolean {
    return this.reads[reader]!.phase === 'read';
  }

  override usable(reader: number, copy: number): boolean {
    return this.world.weak('nocheck') || stampOf(copy) >= this.reads[reader]!.least;
  }

  override joinable(reader: number, copy: number): boolean {
    return this.world.weak('joinunchecked') || this.usable(reader, copy);
  }

  override left(reader: number): void {
    this.world.clear(this.reads[reader]!);
  }

  override acquireSent(flight: number): void {
    this.clocks[flight]!.phase = 'sent';
  }

  override acquireComplete(flight: number): boolean {
    return this.world.weak('c0late') || this.clocks[flight]!.phase === 'read';
  }

  override stamp(flight: number, version: number): number {
    return stamped(version, this.clocks[flight]!.c0);
  }

  override loadComplete(flight: number): boolean {
    return this.clocks[flight]!.phase === 'read';
  }

  override fillSent(f: number): void {
    const flight = this.callers.loads.flights[f]!;
    const { c0 } = this.clocks[f]!;
    const stamp = this.world.weak('finishstamp') ? this.table.clock : c0;
    flight.copy = stamped(versionOf(flight.copy), stamp);
  }

  override flightEnded(flight: number): void {
    this.world.clear(this.clocks[flight]!);
  }

  override isLive(copy: number): boolean {
    const { present, base, tag } = this.table;
    return present && stampOf(copy) >= max(base, tag);
  }

  private init(): void {
    if (this.table.present || this.world.weak('lostzero')) return;
    this.table.present = true;
    this.table.clock = this.table.base = ++this.table.time;
  }

  private addReads(i: number): void {
    const { world, table } = this;
    const read = this.reads[i]!;
    const clock = this.clocks[i]!;
    const flight = this.callers.loads.flights[i]!;
    const name = this.callers.nameOf(i);
    const mayReadEarly = (): boolean => world.weak('checkearly') && read.phase === 'none';
    const mayReadClock = (): boolean =>
      clock.phase === 'sent' && (flight.phase === 'loaded' || !world.weak('c0late'));
    const compare = (): string => this.compare(read);
    world.perhaps(`${name} READ executes before ${name} begins`, mayReadEarly, compare);
    world.rule(`${name} READ executes`, world.phases(read)('sent'), compare);
    world.rule(`${name} reads c0`, mayReadClock, () => {
      this.init();
      clock.phase = 'read';
      clock.c0 = table.clock;
      return `${clock.c0}`;
    });
  }

  /** A value found must be as new as the versions that are read now, and none is if the table is lost. */
  private compare(read: RecordOf<typeof READ>): string {
    const { present, base, tag } = this.table;
    read.phase = 'read';
    read.least = present || this.world.weak('lostzero') ? max(base, tag) : NEVER;
    this.init();
    return `${read.least}`;
  }
}

export interface TagCrowd extends Crowd {
  /** The process of each writer that evicts the key as such. */
  evictors?: readonly number[];
  losses?: number;
}

/** `writers` evict by tag. */
export function tagModel(weak: readonly Weakening[], crowd: TagCrowd): World {
  let tags!: TagTable;
  const { losses = 0, evictors = [] } = crowd;
  const model = entryModel(weak, crowd, (world) => (tags = new TagTable(world, losses)));
  addEvictors(model, crowd.writers, { command: 'BUMP', run: () => tags.bump() });
  addEvictors(model, evictors);
  if (evictors.length === 0) addSymmetries(model, crowd.writers);
  return model.world;
}
