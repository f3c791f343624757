import type { EntryKey } from '../../keys/key-space.js';
import type { StoredBody } from '../../store/entry-store.js';
import { pathOf } from '../../tags/table-key.js';
import type { CallModes } from '../call-mode.js';
import type { WriteSettings } from '../entry.options.js';
import type { CacheParts } from '../parts.js';
import type { EntryFormats } from '../read/entry-formats.js';
import type { Finder } from '../read/finder.js';

/** Stores values whatever is being loaded: a running load cannot overwrite them. */
export class Writer {
  constructor(
    private readonly parts: CacheParts,
    private readonly state: { formats: EntryFormats; finder: Finder; modes: CallModes },
  ) {}

  /** False: refused by `only` or by an open write barrier, or (`failure: 'open'`) Redis cannot be reached. */
  async set(key: EntryKey, value: unknown, settings: WriteSettings): Promise<boolean> {
    const write = await this.prepare(key, value, settings);
    return this.orFalse(write);
  }

  /** All are encoded before the first is sent, so that a value that cannot be stored leaves nothing half done. */
  async setMany(
    values: readonly { key: EntryKey; value: unknown }[],
    settings: WriteSettings,
  ): Promise<void> {
    const writes = await Promise.all(
      values.map(({ key, value }) => this.prepare(key, value, settings)),
    );
    await Promise.all(writes.map((write) => this.orFalse(write)));
  }

  /** The write, ready to be sent; rejects where the value cannot be stored, with or without Redis. */
  private async prepare(
    key: EntryKey,
    value: unknown,
    settings: WriteSettings,
  ): Promise<() => Promise<boolean>> {
    let c0 = 0;
    let unreachable: Error | undefined;
    try {
      c0 = await this.clockOf(key);
    } catch (error) {
      unreachable = error as Error;
    }
    const writable = { value, ttlMs: settings.ttlMs, tags: settings.tags, c0 };
    const body = this.state.formats.write({ key, kind: 'value' }, writable);
    return async () => {
      if (this.state.modes.storesNothing) return false;
      if (unreachable) throw unreachable;
      return this.write(key, body, settings.only);
    };
  }

  private async write(
    key: EntryKey,
    body: Omit<StoredBody, 'newId'>,
    only: 'absent' | 'present' | undefined,
  ): Promise<boolean> {
    const { store, ids, tier, feed } = this.parts;
    const reject = only ? await this.unusableAt(key) : '';
    tier?.drop(key.redisKey);
    let stored = false;
    try {
      return (stored = await store.write(key.redisKey, {
        newId: ids.next(),
        only,
        reject,
        ...body,
      }));
    } finally {
      // Again: a read that was on its way may have seen what was there before.
      tier?.drop(key.redisKey);
      if (stored) feed.own({ reason: 'set', keys: [key] });
    }
  }

  private async orFalse(write: () => Promise<boolean>): Promise<boolean> {
    try {
      return await write();
    } catch (error) {
      if (this.parts.settings.failure === 'strict') throw error;
      this.parts.reporter.report('set', false, error);
      return false;
    }
  }

  /** A tag clock from before the write. What is known here may be old, which is safe, and spares a round trip. */
  private clockOf(key: EntryKey): number | Promise<number> {
    const { mirror, tags } = this.parts;
    return mirror.clockOf(pathOf(key.redisKey)) ?? tags.clock(key.redisKey);
  }

  /** The fill id of a value that is there and does not count, because a tag of it was evicted, or its namespace. */
  private async unusableAt(key: EntryKey): Promise<string> {
    const found = await this.state.finder.find({ key, kind: 'value', operation: 'set' });
    return found.state === 'absent' ? found.reject : '';
  }
}
