import { nextMoment } from '../flights.js';

/** Readers of one key who share a look at it: thousands, where all miss a hot key at once. */
export class Party {
  /** After each of them has come, and before the look was sent. */
  met = nextMoment();

  /** One more, before the look is sent. */
  join(): void {
    this.met = nextMoment();
  }
}
