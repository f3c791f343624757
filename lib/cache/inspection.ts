import { readRecord, type EntryHeader } from '../codec/envelope.js';
import type { EntryKey } from '../keys/key-space.js';
import type { CallModes } from './call-mode.js';
import { look, type ValueRecord } from './entry.js';
import type { ReadSettings } from './entry.options.js';
import type { EvictJournal } from './evict-journal.js';
import { goOnWithout } from './failure.js';
import type { CacheParts } from './parts.js';
import type { Finder } from './read/finder.js';
import { isStillValid } from './still-valid.js';

/** What there is at a key at this moment, without its value: for people and tools, not for requests. */
export interface EntryInfo {
  /**
   * `fresh`: reads get it; `stale`: it is past its ttl, and kept for its grace; `outdated`: a tag of it, its namespace or it
   * itself has been evicted; `loading`: somebody loads it; `writing`: somebody is at a write of it; `foreign`: not written by
   * this cache, or damaged, so that reads take it for a miss.
   */
  readonly state: 'fresh' | 'stale' | 'outdated' | 'loading' | 'writing' | 'foreign';
  /** Where this process would read it: from its copy, or from Redis (or the store of the memory topology). */
  readonly source: 'l1' | 'redis';
  /** Absent where there is no value. */
  readonly kind?: EntryHeader['kind'];
  /** What is left of its life in whole ms, as all that follow; Infinity: it does not expire; 0: it is over. */
  readonly ttl: number;
  /** What is left until Redis removes the key, in ms: its grace comes on top of `ttl`. */
  readonly kept: number;
  /** For how long it has been there, in ms; absent where its record does not say, which is unless it may be refreshed ahead. */
  readonly age?: number;
  readonly tags: readonly string[];
  readonly version?: string;
  /** In Redis, with its header, and as it is compressed. */
  readonly bytes: number;
}

const WITHOUT_VALUE = { lease: 'loading', barrier: 'writing', foreign: 'foreign' } as const;

/** Looks at entries without reading their values. */
export class Inspection {
  constructor(
    private readonly parts: CacheParts,
    private readonly state: { finder: Finder; journal: EvictJournal; modes: CallModes },
  ) {}

  async has(key: EntryKey, reads?: ReadSettings): Promise<boolean> {
    if (this.state.modes.readsNothing) return false;
    const wanted = { key, kind: 'value', operation: 'has', reads, looksOnly: true } as const;
    const found = await this.state.finder.find(wanted);
    if (found.state === 'unreachable') this.parts.meter.count('degraded');
    return found.state === 'hit';
  }

  /** What is left of an entry's life in ms, Infinity if it does not expire, undefined if there is none. */
  async ttl(key: EntryKey): Promise<number | undefined> {
    if (this.state.journal.blocks(key.redisKey)) return undefined;
    const { store, layout, meter } = this.parts;
    try {
      const found = await store.inspect(key.redisKey);
      if (!found) return undefined;
      for (const kind of ['value', 'http'] as const) {
        const seen = look(found.bytes, { key, kind }, layout);
        if (seen.state !== 'usable') continue;
        const { c0, tags, graceMs } = seen.record.header;
        const leftMs = found.ttlMs - graceMs;
        const isLive = leftMs > 0 && (await isStillValid(this.parts, key, { c0, tags }));
        return isLive ? leftMs : undefined;
      }
      return undefined;
    } catch (error) {
      goOnWithout(this.parts, { operation: 'ttl', returning: undefined }, error);
      meter.count('degraded');
      return undefined;
    }
  }

  /** Undefined: there is nothing. Rejects where Redis cannot be reached, for who asks wants to know. */
  inspect(key: EntryKey): Promise<EntryInfo | undefined> {
    return this.parts.reporter.told('inspect', this.inspectNow(key));
  }

  private async inspectNow(key: EntryKey): Promise<EntryInfo | undefined> {
    const source = this.state.finder.peek(key, 'value') ? 'l1' : 'redis';
    const found = await this.parts.store.inspect(key.redisKey);
    if (!found) return undefined;
    const { bytes, ttlMs: kept } = found;
    const record = readRecord(bytes);
    const common = { source, kept, bytes: bytes.length } as const;
    if (record.type !== 'value')
      return { state: WITHOUT_VALUE[record.type], ...common, ttl: 0, tags: [] };
    const { kind, tags = [], version, lifeMs, sliding } = record.header;
    const { clock, serverOffsetMs } = this.parts;
    const isFinal = record.softAt === 0;
    const leftMs = isFinal ? kept : record.softAt - clock.now() - serverOffsetMs(key.redisKey);
    // Up, as durations are: 0 is over.
    const ttl = Math.max(0, Math.ceil(leftMs));
    const knowsAge = lifeMs !== undefined && !sliding && !isFinal;
    return {
      state: await this.stateOf(key, record, { bytes, ttl }),
      ...common,
      kind,
      ttl,
      ...(knowsAge && { age: Math.max(0, Math.floor(lifeMs - leftMs)) }),
      tags,
      ...(version !== undefined && { version }),
    };
  }

  private async stateOf(
    key: EntryKey,
    { header }: ValueRecord,
    { bytes, ttl }: { bytes: Buffer; ttl: number },
  ): Promise<EntryInfo['state']> {
    const { layout } = this.parts;
    const { c0, tags, kind } = header;
    const expected = { key, kind: kind === 'http' ? 'http' : 'value' } as const;
    if (look(bytes, expected, layout).state !== 'usable') return 'foreign';
    const isBlocked = this.state.journal.blocks(key.redisKey);
    if (isBlocked || !(await isStillValid(this.parts, key, { c0, tags }))) return 'outdated';
    return ttl > 0 ? 'fresh' : 'stale';
  }
}
