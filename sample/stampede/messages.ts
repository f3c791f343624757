/** What the demo's process and those that ask say to each other. */

export const ROUNDS = ['none', 'memory', 'redis'] as const;
/** Which cache stands in front of the source. */
export type Round = (typeof ROUNDS)[number];

/** To a process: the two caches that it opens, and how many callers it has. */
export interface Setup {
  redisUrl: string;
  namespace: string;
  callers: number;
}

export type ToProcess =
  { type: 'run'; round: Round } | { type: 'loaded'; id: number; value: number };

export type FromProcess =
  | { type: 'ready' }
  /** A load from the source; the answer bears the same id. */
  | { type: 'load'; id: number }
  /** So many callers have their value, since the last time. */
  | { type: 'served'; count: number }
  | { type: 'done'; answers: Answers };

/** One of each per caller. */
export interface Answers {
  values: number[];
  waitsMs: number[];
}
