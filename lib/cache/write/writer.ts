import { types } from 'node:util';
import { inSlices } from '../../common/async.js';
import { CacheBatchError, CacheOptionsError } from '../../common/errors.js';
import type { EntryKey } from '../../keys/key-space.js';
import type { StoredBody } from '../../store/entry-store.js';
import { pathOf } from '../../tags/table-key.js';
import type { CallModes } from '../call-mode.js';
import type { WriteSettings } from '../entry.options.js';
import { goOnWithout } from '../failure.js';
import { keptMs } from '../life.options.js';
import type { CacheParts } from '../parts.js';
import type { EntryFormats } from '../read/entry-formats.js';
import type { Finder } from '../read/finder.js';

/** One of several to be stored. */
interface Value {
  readonly key: EntryKey;
  readonly value: unknown;
  readonly settings: WriteSettings;
}

/** Ready to be sent. */
interface Draft {
  readonly value: Value;
  readonly body: Omit<StoredBody, 'newId'>;
  /** Redis could not be reached for it. */
  readonly unreachable: Error | undefined;
}

/** Stores values whatever is being loaded: a running load cannot overwrite them. */
export class Writer {
  constructor(
    private readonly parts: CacheParts,
    private readonly state: { formats: EntryFormats; finder: Finder; modes: CallModes },
  ) {}

  /** False: refused by `only` or by an open write barrier, or (`failure: 'open'`) Redis cannot be reached. */
  async set(key: EntryKey, value: unknown, settings: WriteSettings): Promise<boolean> {
    const draft = await this.draft({ key, value, settings });
    try {
      return await this.write(draft);
    } catch (error) {
      goOnWithout(this.parts, { operation: 'set', returning: false }, error);
      this.parts.meter.count('degraded');
      return false;
    }
  }

  /** All are encoded before the first is sent, so that a value that cannot be stored leaves nothing half done. */
  async setMany(values: readonly Value[]): Promise<void> {
    const drafted = await inSlices(values, (value) => this.draft(value));
    const unfit = drafted.find((result) => result.status === 'rejected');
    if (unfit) throw unfit.reason;
    const drafts = drafted.map((result) => (result as PromiseFulfilledResult<Draft>).value);
    const results = await inSlices(drafts, (draft) => this.write(draft));
    const failures = new Map<number, unknown>();
    for (const [i, result] of results.entries())
      if (result.status === 'rejected') failures.set(i, result.reason);
    if (failures.size === 0) return;
    const given = values.map(({ key }) => key.given);
    const error = new CacheBatchError('setMany', given, failures);
    goOnWithout(this.parts, { operation: 'setMany', returning: undefined }, error);
    this.parts.meter.count('degraded', failures.size);
  }

  /** Rejects where the value cannot be stored, with or without Redis. */
  private async draft(given: Value): Promise<Draft> {
    const { key, value, settings } = given;
    let unreachable: Error | undefined;
    const ttlMs = this.lifeMs(value, settings);
    const known = this.clockOf(key, settings);
    const clock = types.isPromise(known)
      ? known.catch((error: Error) => ((unreachable = error), 0))
      : undefined;
    const c0 = typeof known === 'number' ? known : 0;
    const { sliding, tags, version, serializer, schema } = settings;
    const writable = { value, ttlMs, sliding, tags, c0, version, serializer, schema };
    const body = await this.state.formats.write({ key, kind: 'value' }, writable, clock);
    return { value: given, body, unreachable };
  }

  private async write({ value, body, unreachable }: Draft): Promise<boolean> {
    const { key, settings } = value;
    const { store, ids, tier, feed, meter } = this.parts;
    const { storesNothing } = this.state.modes;
    if (unreachable && !storesNothing) throw unreachable;
    let stored = false;
    if (!storesNothing) {
      const { only } = settings;
      const reject = only ? await this.unusableAt(key, settings) : '';
      tier?.drop(key.redisKey);
      try {
        const newId = ids.next();
        stored = await store.write(key.redisKey, { newId, only, reject, ...body });
      } finally {
        // Again: a read that was on its way may have seen what was there before.
        tier?.drop(key.redisKey);
        if (stored) feed.own({ reason: 'set', keys: [key] });
      }
    }
    meter.set(key, 'set', stored);
    return stored;
  }

  private lifeMs(value: unknown, settings: WriteSettings): number {
    const ttlMs = keptMs(value, undefined, settings, this.parts.clock.now());
    if (ttlMs > 0) return ttlMs;
    const given = 'a moment that has passed';
    throw new CacheOptionsError('set', [{ path: 'expiresAt', given, accepted: 'one to come' }]);
  }

  /**
   * A tag clock from before the write. What is known here may be older than an evict whose message is on its way, which is safe, and
   * spares a round trip; not where it matters who was first.
   */
  private clockOf({ redisKey }: EntryKey, { only }: WriteSettings): number | Promise<number> {
    const { mirror, tags } = this.parts;
    const path = pathOf(redisKey);
    const known = only ? undefined : mirror.clockOf(path);
    if (known !== undefined) return known;
    return tags.clock(redisKey).then((clock) => {
      mirror.note(path, { clock });
      return clock;
    });
  }

  /** The fill id of a value that is there and does not count: a tag of it was evicted, or its namespace, or it has another version. */
  private async unusableAt(key: EntryKey, { version, serializer }: WriteSettings): Promise<string> {
    const reads = { version, serializer };
    const found = await this.state.finder.seek({ key, kind: 'value', operation: 'set', reads });
    return found.state === 'absent' ? found.reject : '';
  }
}
