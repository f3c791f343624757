import type { Opened, Seen } from '../entry.js';

/** A hit, what there is instead, or that Redis cannot or must not be asked. `c0` is the tag clock as of this look. */
export type Found =
  Hit | InGrace | (Exclude<Seen, { state: 'usable' }> & { c0?: number }) | { state: 'unreachable' };

export interface Hit {
  readonly state: 'hit';
  readonly source: 'copy' | 'hit';
  readonly id: string;
  readonly value: Opened;
}

/** A value past its ttl, which may stand in for one that cannot be loaded, and else counts as absent. */
export interface InGrace {
  readonly state: 'stale';
  readonly id: string;
  readonly value: Opened;
  /** How long it has been past its ttl. */
  readonly staleMs: number;
}

export const UNREACHABLE: Found = { state: 'unreachable' };
