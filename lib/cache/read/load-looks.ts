import type { EntryKey } from '../../keys/key-space.js';
import type { CallModes } from '../call-mode.js';
import type { Flights } from '../flights.js';
import type { LeaseWaits } from '../lease-waits.js';
import type { CacheParts } from '../parts.js';
import type { Finder } from './finder.js';
import { BYPASSED, UNSEEN, type Found } from './found.js';
import type { LoadRequest } from './loader-run.js';
import { wantedBy } from './passenger.js';

interface LooksState {
  readonly finder: Finder;
  readonly flights: Flights;
  readonly waits: LeaseWaits;
  readonly modes: CallModes;
}

/** So many looks in a row have found nothing at all: the next will hardly find anything. */
const LONG_RUN = 64;

/**
 * The looks of those who load what is missing. While a cache is filled nearly all are in vain; then they ask for the lease at
 * once, which takes a trip less, and is told what is there after all.
 */
export class LoadLooks {
  private missingInARow = 0;
  private lastMissing: Found | undefined;

  constructor(
    private readonly parts: CacheParts,
    private readonly state: LooksState,
  ) {}

  /** `isBack`: it was told of something to look at. */
  find(request: LoadRequest, { isBack }: { isBack: boolean }): Found | Promise<Found> {
    const { finder, modes } = this.state;
    if (modes.mode === 'bypass') return BYPASSED;
    const wanted = wantedBy(request);
    if (isBack || request.settings.force || !this.isMostLikelyMissing(request.key))
      return finder.findAs(wanted, this.noted);
    return finder.atOnce(wanted) ?? UNSEEN;
  }

  private isMostLikelyMissing({ redisKey }: EntryKey): boolean {
    const { waits, flights, modes } = this.state;
    return (
      this.missingInARow >= LONG_RUN &&
      this.parts.store.isRemote &&
      !modes.storesNothing &&
      // Somebody loads it already, and may have been overtaken by a write.
      !waits.current(redisKey) &&
      !flights.joinable(redisKey)
    );
  }

  private readonly noted = (found: Found): Found => {
    if (found.state === 'absent' && found.reject === '') {
      // All who share a look are given the same.
      if (found !== this.lastMissing) this.missingInARow++;
      this.lastMissing = found;
    } else if (isThere(found)) this.missingInARow = 0;
    return found;
  };
}

/** In Redis, whether it can be used or not: a lease at once would be a trip more. */
const isThere = (found: Found): boolean =>
  (found.state === 'hit' && found.source === 'hit') ||
  found.state === 'stale' ||
  found.state === 'absent';
