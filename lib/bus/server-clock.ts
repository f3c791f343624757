/** What took longer says too little. */
const MAX_TRIP_MS = 50;

/**
 * How far the clock of a server is ahead of ours, from answers to the question what time it is: it was that at some moment between
 * the question and the answer (Cristian, "Probabilistic clock synchronization", 1989). What is known is kept until an answer says
 * otherwise, so that the time it took on a busy machine does not move a value between fresh and stale.
 */
export class ServerClock {
  /** To be added to our monotonic ms; undefined: nothing is known. Wrong by half of a trip, at most. */
  aheadMs: number | undefined;

  /** `serverMs`: what it answered, since the epoch; the others: monotonic ms of ours. */
  answered(
    serverMs: number,
    { askedAt, answeredAt }: { askedAt: number; answeredAt: number },
  ): void {
    if (answeredAt - askedAt > MAX_TRIP_MS) return;
    const [least, most] = [serverMs - answeredAt, serverMs - askedAt];
    const { aheadMs: known = Infinity } = this;
    if (known < least || known > most) this.aheadMs = (least + most) / 2;
  }
}
