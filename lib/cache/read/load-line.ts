import { AsyncResource } from 'node:async_hooks';
import pLimit from 'p-limit';
import type { Flight } from '../flights.js';
import { isWithinLoad } from '../nested-loads.js';

/**
 * So many loads at a time, the others in line. A load that runs does not wait there for what it needs in this process: its own loads, and
 * those of others that it joins, begin at once, or they would wait for its place, and it for them.
 */
export class LoadLine {
  private readonly limit: ReturnType<typeof pLimit> | undefined;

  constructor(most: number) {
    if (most !== Infinity) this.limit = pLimit(most);
  }

  run<T>(flights: readonly Flight[], load: () => Promise<T>): Promise<T> {
    const { limit } = this;
    if (!limit || isWithinLoad() || flights.some(({ isUrgent }) => isUrgent)) return load();
    return new Promise((resolve, reject) => {
      let loading: Promise<void> | undefined;
      const begin = AsyncResource.bind(() => (loading ??= load().then(resolve, reject)));
      for (const flight of flights) flight.begin = begin;
      void limit(begin);
    });
  }
}
