import type { EntryKey } from '../../keys/key-space.js';
import type { Opened, Seen } from '../entry.js';
import type { ReadSettings } from '../entry.options.js';
import { notEvicted } from '../failure.js';
import type { CacheSettings } from '../settings.js';
import type { Party } from './party.js';

/** A hit, what there is instead, or that Redis cannot or must not be asked. `c0` is the tag clock as of this look, `party` those who share it. */
export type Found = (
  Hit | InGrace | (Exclude<Seen, { state: 'usable' }> & { c0?: number }) | { state: 'unreachable' }
) & { readonly party?: Party | undefined };

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
/** What is there must not be used, because an evict of it has not reached Redis: as if that could not be reached. */
export const bypassed = (
  { given }: EntryKey,
  { failure }: Pick<CacheSettings, 'failure'>,
): Found | Promise<never> => (failure === 'open' ? UNREACHABLE : Promise.reject(notEvicted(given)));

/** Looked at nothing. */
export const BYPASSED: Found = { state: 'unreachable' };

/** Not looked at: most likely there is nothing. */
export const UNSEEN: Found = { state: 'absent', reject: '' };

/** A read of one value. */
export interface Reading<T> {
  readonly operation: string;
  readonly reads?: ReadSettings | undefined;
  /** What is given of a hit, or of undefined: a miss. Takes one promise less than a `then`. */
  readonly as: (value: Opened | undefined) => T;
}
