import type { InvalidationSink } from './invalidation-sink.js';

/** One sink for several sources, of which each tells of something that no other does: open while all of them are. */
export class JointSink {
  private readonly missing = new Set<object>();

  constructor(private readonly sink: InvalidationSink) {}

  /** What a further source is given; must be asked for before the first one opens. */
  join(): InvalidationSink {
    const { sink, missing } = this;
    const source = {};
    missing.add(source);
    return {
      open: () => {
        missing.delete(source);
        if (missing.size === 0) sink.open();
      },
      shut: () => {
        if (missing.size === 0) sink.shut();
        missing.add(source);
      },
      distrust: () => sink.distrust(),
      apply: (invalidation) => sink.apply(invalidation),
    };
  }
}
