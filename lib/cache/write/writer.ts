import type { EntryKey } from '../../keys/key-space.js';
import type { StoredBody } from '../../store/entry-store.js';
import type { CacheParts } from '../parts.js';
import type { Tier } from '../tier.js';
import type { EntryFormats } from '../read/entry-formats.js';

/** Stores values whatever is being loaded: a running load cannot overwrite them. */
export class Writer {
  constructor(
    private readonly parts: CacheParts,
    private readonly state: { formats: EntryFormats; tier: Tier | undefined },
  ) {}

  /** False: refused by `only` or by an open write barrier, or (`failure: 'open'`) Redis cannot be reached. */
  async set(
    key: EntryKey,
    value: unknown,
    settings: { ttlMs: number; only?: 'absent' | 'present' },
  ): Promise<boolean> {
    const body = this.state.formats.write({ key, kind: 'value' }, { value, ttlMs: settings.ttlMs });
    return this.store(key, body, settings.only);
  }

  /** All are encoded before the first is sent, so that a value that cannot be stored leaves nothing half done. */
  async setMany(
    values: readonly { key: EntryKey; value: unknown }[],
    settings: { ttlMs: number; only?: 'absent' | 'present' },
  ): Promise<void> {
    const bodies = values.map(({ key, value }) =>
      this.state.formats.write({ key, kind: 'value' }, { value, ttlMs: settings.ttlMs }),
    );
    await Promise.all(values.map(({ key }, i) => this.store(key, bodies[i]!, settings.only)));
  }

  private async store(
    key: EntryKey,
    body: Omit<StoredBody, 'newId'>,
    only: 'absent' | 'present' | undefined,
  ): Promise<boolean> {
    const { store, ids, settings, reporter } = this.parts;
    this.state.tier?.drop(key.redisKey);
    try {
      return await store.write(key.redisKey, { newId: ids.next(), only, ...body });
    } catch (error) {
      if (settings.failure === 'strict') throw error;
      reporter.report('set', false, error);
      return false;
    } finally {
      // Again: a read that was on its way may have seen what was there before.
      this.state.tier?.drop(key.redisKey);
    }
  }
}
