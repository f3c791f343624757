import type { EntryHeader } from '../../codec/envelope.js';
import { inTurns } from '../../common/async.js';
import { CacheBatchError } from '../../common/errors.js';
import type { EntryKey } from '../../keys/key-space.js';
import type { CallModes } from '../call-mode.js';
import type { EntryKind } from '../entry.js';
import { goOnWithout } from '../failure.js';
import type { LiveLook } from '../live-look.js';
import type { CacheParts } from '../parts.js';

/** A life that is given anew concerns stored responses as well. */
const EVERY_KIND: readonly EntryKind[] = ['value', 'http'];

/** Gives entries another life, in place. */
export class Toucher {
  constructor(
    private readonly parts: CacheParts,
    private readonly state: { live: LiveLook; modes: CallModes },
  ) {}

  /** False: there is nothing live, or (`failure: 'open'`) Redis cannot be reached. */
  async touch(key: EntryKey, ttlMs: number): Promise<boolean> {
    if (this.state.modes.storesNothing) return false;
    try {
      return await this.touchNow(key, ttlMs);
    } catch (error) {
      goOnWithout(this.parts, { operation: 'touch', returning: false }, error);
      this.parts.meter.count('degraded');
      return false;
    }
  }

  /** How many were there. The looks of a thousand travel together, and then their changes, to each server in one go. */
  async touchMany(keys: readonly EntryKey[], ttlMs: number): Promise<number> {
    if (this.state.modes.storesNothing) return 0;
    const results = await inTurns(keys, (key) => this.touchNow(key, ttlMs));
    const failures = new Map<number, unknown>();
    let touched = 0;
    for (const [i, result] of results.entries())
      if (result.status === 'rejected') failures.set(i, result.reason);
      else if (result.value) touched++;
    if (failures.size === 0) return touched;
    const given = keys.map((key) => key.given);
    const error = new CacheBatchError('touchMany', given, failures);
    goOnWithout(this.parts, { operation: 'touchMany', returning: touched }, error);
    this.parts.meter.count('degraded', failures.size);
    return touched;
  }

  /** Begins the life of an entry anew whose reads are to do that; false: there is none. */
  slide(key: EntryKey): Promise<boolean> {
    return this.touchNow(key, ({ lifeMs, sliding }) => (sliding ? lifeMs : undefined));
  }

  private touchNow(
    key: EntryKey,
    ttl: number | ((header: EntryHeader) => number | undefined),
  ): Promise<boolean> {
    const { store, tier, feed } = this.parts;
    return this.state.live.change(key, EVERY_KIND, async (look) => {
      if (look.state === 'none') return false;
      const ttlMs = typeof ttl === 'number' ? ttl : ttl(look.record.header);
      if (ttlMs === undefined) return false;
      const softMs = ttlMs === Infinity ? 0 : ttlMs;
      tier?.drop(key.redisKey);
      // Also where nobody knows.
      let changed = true;
      try {
        const reply = await store.touch(key.redisKey, { facts: look.facts, softMs });
        changed = reply === 'touched';
        return reply === 'unlike' ? reply : reply === 'touched';
      } finally {
        // Again: a read that was on its way may have seen the longer life of before.
        tier?.drop(key.redisKey);
        if (changed) feed.own({ reason: 'set', keys: [key] });
      }
    });
  }
}
