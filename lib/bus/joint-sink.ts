import type { InvalidationSink } from './invalidation-sink.js';

/** What one source is given. */
export interface JoinedSink extends InvalidationSink {
  /** There is no such source any more, and nothing is waited for; it must not be used again. */
  leave(): void;
}

/** One sink for several sources, of which each tells of something that no other does: open while all of them are. */
export class JointSink {
  private readonly missing = new Set<object>();
  private isOpen = false;

  constructor(private readonly sink: InvalidationSink) {}

  /** What a further source is given. Until that one opens, it is shut. */
  join(): JoinedSink {
    const { sink, missing } = this;
    const source = {};
    const shut = (): void => {
      missing.add(source);
      this.settle();
    };
    const open = (): void => {
      missing.delete(source);
      this.settle();
    };
    shut();
    return {
      open,
      shut,
      leave: open,
      distrust: () => sink.distrust(),
      apply: (invalidation) => sink.apply(invalidation),
    };
  }

  private settle(): void {
    const isOpen = this.missing.size === 0;
    if (isOpen === this.isOpen) return;
    this.isOpen = isOpen;
    if (isOpen) this.sink.open();
    else this.sink.shut();
  }
}
