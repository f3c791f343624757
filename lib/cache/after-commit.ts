import { CacheEvictError } from '../common/errors.js';
import type { CacheParts } from './parts.js';

/** As much of a cache as it takes to know. */
export type Committing = Pick<CacheParts, 'reporter'> & {
  readonly settings: Pick<CacheParts['settings'], 'transaction'>;
};

/** Caches that have been told that they have no adapter. */
const told = new WeakSet<object>();

/** Now, and then it is waited for, or after the commit. `asked`: somebody relies on it. */
export async function afterCommit(
  { settings, reporter }: Committing,
  act: () => unknown,
  { asked }: { asked: boolean },
): Promise<void> {
  const { transaction } = settings;
  if (!transaction && asked && !told.has(settings)) {
    told.add(settings);
    reporter.warn(
      'afterCommit',
      "afterCommit acts at once: the module's option 'transaction' is needed to know of transactions",
    );
  }
  if (!transaction?.isActive()) return void (await act());
  transaction.afterCommit(async () => {
    try {
      await act();
    } catch (error) {
      // That one has been reported.
      if (!(error instanceof CacheEvictError)) reporter.report('afterCommit', undefined, error);
    }
  });
}
