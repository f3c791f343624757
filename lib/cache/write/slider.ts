import type { EntryKey } from '../../keys/key-space.js';
import type { CallModes } from '../call-mode.js';
import type { Opened } from '../entry.js';
import type { CacheParts } from '../parts.js';
import type { Toucher } from './toucher.js';

/** A read prolongs a life of which this share is over. */
const SHARE = 0.1;
/** Lives being prolonged at a time in this process; beyond that a later read does it. */
const MOST_RUNNING = 64;

/**
 * Prolongs the life of entries whose reads are to do so, in the background. As that begins their life anew, wherever they are
 * read, it happens once in a tenth of it in the whole cluster, or somewhat more often where several processes read at once.
 */
export class Slider {
  private readonly running = new Set<string>();

  constructor(
    private readonly parts: CacheParts,
    private readonly state: { toucher: Toucher; modes: CallModes },
  ) {}

  /** A value has been read that says so. */
  read(key: EntryKey, value: Opened): void {
    const { running } = this;
    const { toucher, modes } = this.state;
    const { lifeMs } = value;
    if (lifeMs === undefined || lifeMs - value.freshMs() < lifeMs * SHARE) return;
    if (running.has(key.redisKey) || running.size >= MOST_RUNNING || modes.storesNothing) return;
    running.add(key.redisKey);
    // Outside of the call's memo: it is not the call that changes something, and its answer stands.
    this.parts.memos
      .outside(() => toucher.slide(key))
      .catch((error: unknown) => this.parts.reporter.report('touch', false, error))
      .finally(() => running.delete(key.redisKey));
  }
}
