import type { EntryKey } from '../../keys/key-space.js';
import type { CallModes } from '../call-mode.js';
import { look as lookAt, type Opened } from '../entry.js';
import type { LiveLook, Look } from '../live-look.js';
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
  async take(key: EntryKey): Promise<Opened | undefined> {
    const { settings, reporter, meter } = this.parts;
    if (this.state.modes.readsNothing) {
      meter.count('bypassed');
      return undefined;
    }
    try {
      const bytes = await this.state.live.change(key, ['value'], (look) => this.takeAt(key, look));
      const taken = bytes && (await this.open(key, bytes));
      if (taken) meter.hit('redis', key, 'take');
      else meter.miss(key, 'take');
      return taken;
    } catch (error) {
      if (settings.failure === 'strict') throw error;
      meter.count('degraded');
      meter.miss(key, 'take');
      reporter.report('take', undefined, error);
      return undefined;
    }
  }

  private async takeAt(key: EntryKey, look: Look): Promise<Buffer | undefined | 'unlike'> {
    const { store, feed } = this.parts;
    const { evictor } = this.state;
    if (look.bytes === null) return undefined;
    const request = look.state === 'live' ? { facts: look.facts, reject: '' } : look;
    evictor.outdate(key);
    try {
      const reply = await store.take(key.redisKey, request);
      if (reply.state === 'unlike') return reply.state;
      return reply.state === 'taken' ? reply.bytes : undefined;
    } finally {
      // Again: a read that was on its way may have seen it.
      evictor.outdate(key);
      feed.own({ reason: 'evict', keys: [key] });
    }
  }

  private async open(key: EntryKey, bytes: Buffer): Promise<Opened | undefined> {
    const seen = lookAt(bytes, { key, kind: 'value', layout: this.parts.layout });
    return seen.state === 'usable' ? this.state.formats.open(seen.record, { key }) : undefined;
  }
}
