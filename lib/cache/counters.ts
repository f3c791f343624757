import { writeBody, type EntryHeader } from '../codec/envelope.js';
import { CacheError, CacheOptionsError } from '../common/errors.js';
import { aLife, problemsOf, shown } from '../common/option-checks.js';
import type { Duration } from '../common/duration.js';
import type { EntryKey } from '../keys/key-space.js';
import type { IncrementRequest } from '../store/entry-store.js';
import { bodyFacts } from '../store/record.js';
import { lifeMs } from './life.options.js';
import type { LiveLook, Look } from './live-look.js';
import type { CacheParts } from './parts.js';
import type { EntryFormats } from './read/entry-formats.js';
import type { Evictor } from './write/evictor.js';

/** Options of one increment. */
export interface CounterOptions {
  /** How long the counter lives, if it has no end yet: one that has keeps it. Default: it does not expire. */
  ttl?: Duration;
}

/** Something to be added, checked. */
export interface Addition {
  /** In errors. */
  readonly operation: `${'' | 'raw.'}${'increment' | 'decrement'}`;
  readonly by: number;
  /** 0: none. */
  readonly ttlMs: number;
}

const NO_PAYLOAD = Buffer.alloc(0);

/** What went wrong, and what is so now. */
const REFUSALS = {
  overflow: [
    'ERR_CACHE_OVERFLOW',
    'the sum would be beyond what a number holds exactly (2^53 - 1); the counter is unchanged',
  ],
  barrier: [
    'ERR_CACHE_BARRED',
    'a write of this key (withWrite, writeThrough) is in progress, and its value would replace the counter; nothing was counted',
  ],
  other: ['ERR_CACHE_NOT_A_NUMBER', 'the value at this key is no integer; it is unchanged'],
} as const;

/** Throws `CacheOptionsError`, before anything is sent. */
export function additionOf(
  operation: Addition['operation'],
  by: number,
  options: CounterOptions | undefined,
): Addition {
  const problems = options == null ? [] : problemsOf(options, { ttl: aLife });
  if (!Number.isSafeInteger(by))
    problems.unshift({ path: 'by', given: shown(by), accepted: 'an integer up to 2^53 - 1' });
  if (problems.length > 0) throw new CacheOptionsError(operation, problems);
  const ttlMs = lifeMs(options?.ttl ?? Infinity, 'ttl');
  // Without the sign of zero.
  const signed = operation.endsWith('increment') ? by + 0 : 0 - by;
  return { operation, by: signed, ttlMs: ttlMs === Infinity ? 0 : ttlMs };
}

/**
 * Counts. A counter is an entry whose number the server adds to; an integer that was stored by `set` or a load becomes one
 * with the first increment, and keeps its life and its tags. Acts in every mode: nothing could stand in for a count.
 */
export class Counters {
  constructor(
    private readonly parts: CacheParts,
    private readonly state: { live: LiveLook; formats: EntryFormats; evictor: Evictor },
  ) {}

  /** Rejects where Redis cannot be reached, whatever `failure` says: there is no count to give instead. */
  add(key: EntryKey, addition: Addition): Promise<number> {
    return this.parts.reporter.told(addition.operation, this.addNow(key, addition));
  }

  private addNow(key: EntryKey, addition: Addition): Promise<number> {
    const { store, ids, feed, meter } = this.parts;
    const { live, evictor } = this.state;
    const { operation, by, ttlMs } = addition;
    return live.change(key, ['value'], async (look) => {
      const found = await this.found(key, look, operation);
      const fresh = await this.fresh(key, look);
      evictor.outdate(key);
      // Also where nobody knows.
      let changed = true;
      try {
        const request = { newId: ids.next(), by, ttlMs, fresh, ...found };
        const reply = await store.increment(key.redisKey, request);
        changed = reply.state === 'counted';
        if (reply.state === 'unlike') return reply.state;
        if (reply.state !== 'counted') throw refusal(reply.state, operation, key);
        meter.set(key, operation, true);
        return reply.count;
      } finally {
        // Again: a read that was on its way may have seen what was there before.
        evictor.outdate(key);
        if (changed) feed.own({ reason: 'set', keys: [key] });
      }
    });
  }

  private async found(
    key: EntryKey,
    look: Look,
    operation: string,
  ): Promise<Pick<IncrementRequest, 'seen' | 'reject'>> {
    if (look.state === 'none') return { reject: look.reject };
    const { record, facts } = look;
    const { formats } = this.state;
    // Past its ttl it is absent, whatever it is.
    if (formats.staleMs(record, key) !== undefined) return { reject: record.id };
    const count = (await formats.open(record, { key, purpose: 'count' }))?.take();
    // Unreadable values are a miss, and are replaced.
    if (count === undefined) return { reject: record.id };
    if (!Number.isSafeInteger(count)) throw refusal('other', operation, key);
    const { header, id } = record;
    const counter = header.kind === 'counter' ? facts : factsOfCounter(header);
    return { seen: { id, count: Number(count), facts: counter }, reject: '' };
  }

  /** The facts of a counter that begins now. */
  private async fresh({ redisKey, digestOf }: EntryKey, { versions }: Look): Promise<Buffer> {
    const c0 = versions?.clock ?? (await this.parts.tags.clock(redisKey));
    return factsOfCounter({ graceMs: 0, c0, topologyId: this.parts.layout.id, digestOf });
  }
}

/** Everything that says how the payload was made goes, the rest stays. */
function factsOfCounter(
  header: Pick<EntryHeader, 'graceMs' | 'c0' | 'topologyId'> & Partial<EntryHeader>,
): Buffer {
  const { graceMs, c0, topologyId, version, tags, digestOf, lifeMs: life, sliding } = header;
  const kept = { graceMs, c0, topologyId, version, tags, digestOf, lifeMs: life, sliding };
  const made = { kind: 'counter', isNull: false, serializer: 'none' } as const;
  return bodyFacts(writeBody({ ...kept, ...made }, NO_PAYLOAD));
}

export function refusal(why: keyof typeof REFUSALS, operation: string, key: EntryKey): CacheError {
  const [code, text] = REFUSALS[why];
  return new CacheError(code, `${operation}: ${text}`, { key: key.given });
}
