/** Readers of one key who share a look at it: thousands, where all miss a hot key at once. */
export interface Party {
  /** A moment after each of them has come, and before the look was sent. */
  met: number;
}
