import type { Invalidation } from '../common/invalidation.js';

/** Who keeps copies, or wants to know what becomes of them. */
export interface InvalidationSink {
  /** Messages arrive from now on; what was missed until now is not known. */
  open(): void;
  /** Messages may be lost from now on. */
  shut(): void;
  /** Messages have been lost, or not understood: anything may have changed. */
  distrust(): void;
  apply(invalidation: Invalidation): void;
}
