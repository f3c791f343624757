/**
 * Knows the database transaction in which code runs. What is evicted while that is open is evicted too early: whoever reads next stores
 * the value from before the commit again.
 */
export interface TransactionAdapter {
  /** Whether whoever calls this runs inside a transaction that is open. */
  isActive(): boolean;
  /**
   * Runs `act` once the transaction of whoever calls this has committed, or nobody knows whether it has; never after a rollback, be it to
   * a savepoint. Whoever waits for the commit should wait for `act` as well, which never rejects.
   */
  afterCommit(act: () => Promise<void>): void;
}
