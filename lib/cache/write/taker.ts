import type { EntryKey } from '../../keys/key-space.js';
import type { CallModes } from '../call-mode.js';
import { fitted, isReadable, look as lookAt, type Opened, type ValueRecord } from '../entry.js';
import type { ReadSettings } from '../entry.options.js';
import { goOnWithout } from '../failure.js';
import type { LiveLook, Look } from '../live-look.js';
import type { TakeRequest } from '../../store/entry-store.js';
import type { CacheParts } from '../parts.js';
import type { EntryFormats } from '../read/entry-formats.js';
import type { Evictor } from './evictor.js';

/** Gets and deletes in one step: of many who take the same value, one gets it. */
export class Taker {
  constructor(
    private readonly parts: CacheParts,
    private readonly state: {
      live: LiveLook;
      formats: EntryFormats;
      evictor: Evictor;
      modes: CallModes;
    },
  ) {}

  /** Undefined: a miss, or (`failure: 'open'`) Redis cannot be reached. */
  async take(key: EntryKey, reads?: ReadSettings): Promise<Opened | undefined> {
    const { meter } = this.parts;
    if (this.state.modes.readsNothing) {
      meter.count('bypassed');
      return undefined;
    }
    try {
      const bytes = await this.state.live.change(key, ['value'], (look) =>
        this.takeAt(key, look, reads),
      );
      const taken = bytes && (await this.openBytes(key, bytes, reads));
      if (taken) meter.hit('redis', key, 'take');
      else meter.miss(key, 'take');
      return taken;
    } catch (error) {
      goOnWithout(this.parts, { operation: 'take', returning: undefined }, error);
      meter.count('degraded');
      meter.miss(key, 'take');
      return undefined;
    }
  }

  private async takeAt(
    key: EntryKey,
    look: Look,
    reads: ReadSettings | undefined,
  ): Promise<Buffer | undefined | 'unlike'> {
    const { store, feed } = this.parts;
    const { evictor } = this.state;
    if (look.bytes === null) return undefined;
    let request: TakeRequest = look.state === 'none' ? look : { facts: look.facts, reject: '' };
    // Who cannot read it does not take it away from those who can.
    if (look.state === 'live' && !(await this.open(key, look.record, reads)))
      request = { reject: look.record.id };
    evictor.outdate(key);
    // Also where nobody knows.
    let changed = true;
    try {
      const reply = await store.take(key.redisKey, request);
      changed = reply.state === 'taken';
      if (reply.state === 'unlike') return reply.state;
      return reply.state === 'taken' ? reply.bytes : undefined;
    } finally {
      // Again: a read that was on its way may have seen it.
      evictor.outdate(key);
      if (changed) feed.own({ reason: 'evict', keys: [key] });
    }
  }

  private async openBytes(
    key: EntryKey,
    bytes: Buffer,
    reads: ReadSettings | undefined,
  ): Promise<Opened | undefined> {
    const seen = lookAt(bytes, { key, kind: 'value' }, this.parts.layout);
    return seen.state === 'usable' ? this.open(key, seen.record, reads) : undefined;
  }

  private async open(
    key: EntryKey,
    record: ValueRecord,
    reads: ReadSettings | undefined,
  ): Promise<Opened | undefined> {
    const { serializer, schema } = reads ?? {};
    const value = await this.state.formats.open(record, { key, serializer });
    if (!value || !isReadable(value, reads)) return undefined;
    if (!schema) return value;
    return fitted(value, schema).catch((error: unknown) => {
      this.parts.meter.count('undecodable');
      this.parts.reporter.report('take', undefined, error);
      return undefined;
    });
  }
}
