/**
 * How far the clock of a server is ahead of ours, from answers to the question what time it is: it was that at some moment between
 * the question and the answer (Cristian, "Probabilistic clock synchronization", 1989). What is known is kept until an answer says
 * otherwise, or took no longer, so that the time it took on a busy machine does not move a value between fresh and stale.
 */
export class ServerClock {
  /** To be added to our monotonic ms; undefined: nothing is known. Wrong by less than a trip. */
  aheadMs: number | undefined;
  /** What the answer took that this is from. */
  private tripMs = Infinity;

  /** `serverMs`: what it answered, since the epoch; the others: monotonic ms of ours. */
  answered(
    serverMs: number,
    { askedAt, answeredAt }: { askedAt: number; answeredAt: number },
  ): void {
    const tripMs = answeredAt - askedAt;
    const [least, most] = [serverMs - answeredAt, serverMs - askedAt];
    const { aheadMs: known = Infinity } = this;
    if (known >= least && known <= most && tripMs > this.tripMs) return;
    this.aheadMs = (least + most) / 2;
    this.tripMs = tripMs;
  }
}
