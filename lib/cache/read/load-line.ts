import pLimit, { type LimitFunction } from 'p-limit';
import { deferred } from '../../common/async.js';
import type { Flight } from '../flights.js';
import { isWithinLoad } from '../nested-loads.js';

/** Loads of several keys that are run as one, and so take one place. */
export interface OnePlace {
  placeIn(line: LimitFunction): Place;
}

type AnyLoader = (...args: never[]) => unknown;

/**
 * So many loads at a time, the others in line. Who is in line has no lease yet, or other processes, which might load at once, would
 * wait for one that waits itself. A load that runs does not wait here for what it needs in this process: its own loads, and
 * those of others that it joins, begin at once, or they would wait for its place, and it for them.
 */
export class LoadLine {
  private readonly line: LimitFunction | undefined;

  constructor(most: number) {
    if (most !== Infinity) this.line = pLimit(most);
  }

  /** Begins when it is its turn. */
  run<T>(flight: Flight, loader: OnePlace | AnyLoader, begin: () => Promise<T>): Promise<T> {
    if (!this.line || isWithinLoad()) return begin();
    const place = typeof loader === 'function' ? new Place(this.line) : loader.placeIn(this.line);
    return place.run(flight, begin);
  }
}

/** A place in line, free for the next when its loader has ended, or when none of its loads has one to run. */
export class Place {
  isLeft = false;
  private readonly turn = deferred<void>();
  private readonly left = deferred<void>();
  private loads = 0;

  /** At the end of the line. */
  constructor(line: LimitFunction) {
    void line(() => (this.turn.resolve(), this.left.promise));
  }

  async run<T>(flight: Flight, begin: () => Promise<T>): Promise<T> {
    this.loads++;
    flight.onUrgent = () => this.turn.resolve();
    flight.onLoaded = () => this.leave();
    try {
      await this.turn.promise;
      return await begin();
    } finally {
      if (--this.loads === 0) this.leave();
    }
  }

  private leave(): void {
    this.isLeft = true;
    this.left.resolve();
  }
}
