import type { OwnChange } from '../../bus/invalidation-feed.js';
import type { Clock } from '../../common/clock.js';
import { closedError } from '../../common/errors.js';
import type { Invalidation } from '../../common/invalidation.js';
import type { Reporter } from '../../observe/reporter.js';

/** For `onDropped` of what is given up, however late it is. */
const LAST_WORDS_MS = 1_000;

/** What may be gone from the cache: entries by their Redis keys, those of a namespace and perhaps a tag of it, or any. */
export type Gone =
  | { readonly keys: readonly string[] }
  | { readonly path: string; readonly tags?: readonly string[] }
  | 'anything';

/** Something that still has to write when the cache is about to close. */
export interface WriteQueue {
  /** Resolves once what waits now has been written or given up. */
  flush(): Promise<void>;
  /** Takes nothing more; then as `flush`. */
  close(): Promise<void>;
  /** Gives up what waits, and tells of it. How many. */
  abandon(): Promise<number>;
  /** Stores again what waits and may be gone. */
  restore(gone: Gone): void;
}

/** The write queues of one cache, with all its namespaces: they hear what is evicted, and end before the cache does. */
export class WriteQueues {
  private readonly open = new Set<WriteQueue>();
  private closed = false;
  /** Of `shutdownTimeout`, which is for all that is written when the application shuts down. */
  private leftMs: number;

  constructor(
    private readonly parts: { clock: Clock; reporter: Reporter; shutdownTimeoutMs: number },
  ) {
    this.leftMs = parts.shutdownTimeoutMs;
  }

  /** The returned function takes it out again. */
  add(queue: WriteQueue): () => void {
    if (this.closed) throw closedError('no writes can be queued');
    this.open.add(queue);
    return () => void this.open.delete(queue);
  }

  /** Something that this process has done. */
  own(change: OwnChange): void {
    if (this.open.size === 0 || change.reason === 'set') return;
    this.restore('keys' in change ? { keys: change.keys.map((key) => key.redisKey) } : change);
  }

  /** Something that another process has done. */
  apply(invalidation: Invalidation): void {
    if (invalidation.reason !== 'set') this.restore(invalidation);
  }

  /** What happened is not known. */
  distrust(): void {
    this.restore('anything');
  }

  /** For when an application begins to shut down: later, its database may be closed. Within `shutdownTimeout`. */
  async flush(): Promise<void> {
    await this.inTime([...this.open].map((queue) => queue.flush()));
  }

  /** Within what `flush` has left of `shutdownTimeout`. */
  async close(): Promise<void> {
    this.closed = true;
    const queues = [...this.open];
    await this.inTime(queues.map((queue) => queue.close()));
    let lost = 0;
    this.leftMs = Math.max(this.leftMs, LAST_WORDS_MS);
    const abandon = async (queue: WriteQueue): Promise<void> => {
      const left = await queue.abandon();
      lost += left;
    };
    await this.inTime(queues.map(abandon));
    if (lost > 0)
      this.parts.reporter.warn(
        'shutdown',
        `closed with ${lost} queued writes that were not written`,
      );
  }

  private restore(gone: Gone): void {
    for (const queue of this.open) queue.restore(gone);
  }

  private async inTime(ends: readonly Promise<void>[]): Promise<void> {
    if (ends.length === 0) return;
    const { clock } = this.parts;
    const begin = clock.monotonic();
    let timer;
    const late = new Promise<void>((resolve) => {
      timer = clock.setTimer(Math.max(0, this.leftMs), resolve);
    });
    await Promise.race([Promise.all(ends), late]);
    clock.clearTimer(timer);
    this.leftMs -= clock.monotonic() - begin;
  }
}
