import { setImmediate as nextTurn } from 'node:timers/promises';
import { compileGlob } from '../keys/glob.js';
import { KeySpace, type EntryKey } from '../keys/key-space.js';
import type { Meter } from '../observe/meter.js';
import { statsOf, type CacheStats } from '../observe/stats.js';
import { CallModes } from './call-mode.js';
import type { Opened } from './entry.js';
import type { LoadSettings } from './entry.options.js';
import { EvictJournal } from './evict-journal.js';
import { Flights } from './flights.js';
import { Front } from './front.js';
import { InPlace } from './in-place.js';
import { Inspection } from './inspection.js';
import { KeyListing } from './key-listing.js';
import { LeaseWaits } from './lease-waits.js';
import type { CacheParts } from './parts.js';
import type { RequestMemos } from './request-memo.js';
import { BatchReader } from './read/batch-reader.js';
import { EntryFormats } from './read/entry-formats.js';
import { Loads } from './read/load.js';
import type { LoadRequest } from './read/loader-run.js';
import { Refresher } from './read/refresher.js';
import type { Served } from './read/passenger.js';
import { Reader } from './read/reader.js';
import type { CacheSettings } from './settings.js';
import { Evictor } from './write/evictor.js';
import { assertTags } from '../tags/tag-names.js';
import { Finder } from './read/finder.js';
import { PatternEvictor, type PatternEvictOptions } from './write/pattern-evictor.js';
import { TagEvictor } from './write/tag-evictor.js';
import { WriteBarrier } from './write/write-barrier.js';
import { WriteThrough } from './write/write-through.js';
import { Writer } from './write/writer.js';

/** A response knows no tiers, and its absence is told by its bytes. */
const HTTP_SOURCE = {
  copy: 'hit',
  hit: 'hit',
  stale: 'hit',
  loaded: 'loaded',
  joined: 'joined',
  private: 'joined',
} as const;

/** What an HTTP handler's load may say of itself. */
export interface HttpLoad {
  (context: {
    setTtl(ttlMs: number): void;
    setTags(tags: readonly string[]): void;
  }): Promise<Buffer | undefined>;
}

/**
 * One cache, below its public face: all views of it (namespaces, interceptors) share the same flights, journal and
 * store. Works without Nest.
 */
export class CacheEngine {
  readonly front: Front;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly barrier: WriteBarrier;
  readonly batches: BatchReader;
  readonly through: WriteThrough;
  readonly inspection: Inspection;
  readonly formats: EntryFormats;
  readonly inPlace: InPlace;
  private readonly tags: TagEvictor;
  private readonly patterns: PatternEvictor;
  private readonly listing: KeyListing;
  private readonly finder: Finder;
  private readonly evictor: Evictor;
  readonly modes = new CallModes();
  private readonly flights = new Flights();
  private readonly loads: Loads;
  private readonly waits: LeaseWaits;
  private readonly journal: EvictJournal;
  private readonly refresher: Refresher;

  constructor(readonly parts: CacheParts) {
    const formats = (this.formats = new EntryFormats(parts));
    const { flights, modes } = this;
    const clear = (path: string): Promise<void> => this.tags.clearNow(path);
    const waits = (this.waits = new LeaseWaits(parts.clock));
    const journal = (this.journal = new EvictJournal(parts, { flights, clear }));
    const onSliding = (key: EntryKey, value: Opened): void => this.inPlace.slider.read(key, value);
    const finder = (this.finder = new Finder(parts, { journal, formats, onSliding }));
    const loads = (this.loads = new Loads(parts, { flights, waits, formats }));
    const evictor = (this.evictor = new Evictor(parts, { flights, journal }));
    const refresher = (this.refresher = new Refresher(parts, { flights, waits, loads, modes }));
    const reading = { flights, waits, finder, loads, refresher, modes };
    const reader = (this.reader = new Reader(parts, reading));
    this.front = new Front(parts, { reader, finder, modes });
    this.writer = new Writer(parts, { formats, finder, modes });
    const barrier = (this.barrier = new WriteBarrier(parts, { evictor, journal }));
    this.through = new WriteThrough(parts, { barrier, formats, modes });
    this.batches = new BatchReader(parts, { front: this.front, reader, finder, modes });
    this.tags = new TagEvictor(parts, journal);
    const listing = (this.listing = new KeyListing(parts, formats));
    this.patterns = new PatternEvictor(parts, { evictor, journal, listing });
    this.inspection = new Inspection(parts, { finder, journal, modes });
    this.inPlace = new InPlace(parts, { journal, formats, evictor, modes });
  }

  get options(): CacheSettings {
    return this.parts.settings;
  }

  keySpace(namespace?: string): KeySpace {
    const root = new KeySpace(this.parts.settings.namespace);
    return namespace === undefined ? root : root.child(namespace);
  }

  get meter(): Meter {
    return this.parts.meter;
  }

  get memos(): RequestMemos {
    return this.parts.memos;
  }

  load(request: LoadRequest): Promise<Served> {
    return this.front.load(request);
  }

  stats(): CacheStats {
    const { meter, tier } = this.parts;
    return statsOf(meter.total, { l1: tier, journal: this.journal.size });
  }

  async evict(keys: readonly EntryKey[], failure: 'throw' | 'queue'): Promise<number> {
    return this.journal.run(keys[0]?.given, () => {
      this.meter.evict('evict', keys);
      return this.evictor.evict(keys, failure);
    });
  }

  /** What has one of these tags, in the namespace of this path. */
  async evictTags(path: string, tags: readonly string[], failure: 'throw' | 'queue') {
    assertTags('evictTags', tags);
    await this.journal.run(undefined, () => {
      this.meter.evictIn(path, tags);
      return this.tags.evictTags(path, tags, failure);
    });
  }

  async clear(path: string, failure: 'throw' | 'queue'): Promise<void> {
    await this.journal.run(undefined, () => {
      this.meter.evictIn(path);
      return this.tags.clear(path, failure);
    });
  }

  /** A response that a handler makes; what may not be stored is for its own request alone. */
  async loadHttp(
    key: EntryKey,
    load: HttpLoad,
    options: Partial<
      Pick<LoadSettings, 'ttlMs' | 'waitTimeoutMs' | 'force' | 'version' | 'sliding'>
    >,
  ): Promise<{
    bytes: Buffer | undefined;
    source: 'hit' | 'loaded' | 'joined';
    stored: boolean;
    ttlMs?: number;
  }> {
    const { settings } = this.parts;
    const ttlMs = options.ttlMs ?? settings.ttlMs;
    const own: LoadSettings = {
      ttlMs,
      negativeTtlMs: ttlMs,
      cacheNull: true,
      graceMs: 0,
      staleWhileRevalidate: false,
      force: options.force ?? false,
      version: options.version,
      sliding: options.sliding,
      waitTimeoutMs: options.waitTimeoutMs ?? settings.lease.waitTimeoutMs,
    };
    const served = await this.load({ key, kind: 'http', loader: load, settings: own });
    const bytes = served.value.take() as Buffer | undefined;
    const freshMs = served.value.freshMs();
    const source = HTTP_SOURCE[served.source];
    return freshMs > 0
      ? { bytes, source, stored: true, ttlMs: freshMs }
      : { bytes, source, stored: false };
  }

  /** Waits for running loads, tries the journal once more; after `shutdownTimeout` it gives them up. */
  async drain(): Promise<void> {
    if (!this.journal.refuse()) return;
    this.refresher.close();
    const { clock, settings, reporter } = this.parts;
    let timer;
    const late = new Promise<'late'>((resolve) => {
      timer = clock.setTimer(settings.shutdownTimeoutMs, () => resolve('late'));
    });
    const left = await Promise.race([this.loadsSettled().then(() => this.journal.close()), late]);
    clock.clearTimer(timer);
    this.journal.stop();
    this.waits.close();
    await this.loads.giveUpLeases();
    const lost = left === 'late' ? this.journal.size : left;
    if (lost > 0)
      reporter.warn('shutdown', `closed with ${lost} evicts that have not reached Redis`);
  }

  /**
   * Those that have begun, and those of calls that are still looking whether they have to load. Of many keys some begin and end
   * later than the first: hence once more.
   */
  private async loadsSettled(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      await this.finder.settled();
      await nextTurn();
      await this.flights.settled();
    }
  }

  keys(space: KeySpace, glob: string, signal?: AbortSignal): AsyncIterable<string> {
    return this.listing.keys(space, compileGlob(glob), signal);
  }

  evictPattern(space: KeySpace, glob: string, options: PatternEvictOptions): Promise<number> {
    return this.patterns.evict(space, glob, options);
  }

  /** For tests and diagnosis: what runs or waits at this moment. */
  pending(): { flights: number; waits: number; journal: number; wakeups: number } {
    return {
      flights: this.flights.size,
      waits: this.waits.size,
      journal: this.journal.size,
      wakeups: this.parts.wakeups.size,
    };
  }
}
