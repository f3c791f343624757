import type { EntryKey } from '../../keys/key-space.js';
import type { Meter } from '../../observe/meter.js';
import type { Opened } from '../entry.js';
import type { Found } from './found.js';
import { loadsOf, type LoadRequest } from './loader-run.js';

interface Look {
  /** In messages. */
  readonly operation: string;
  /** What the meter's `began` has given. */
  readonly began?: number | undefined;
}

/** Counts a read of one key by what it has found; undefined: it was not to use what is there. Gives the value of a hit. */
export function tally(
  meter: Meter,
  key: EntryKey,
  found: Found | undefined,
  { operation, began }: Look,
): Opened | undefined {
  if (found?.state === 'hit') {
    meter.hit(found.source === 'copy' ? 'l1' : 'redis', key, operation, began);
    return found.value;
  }
  if (found?.state === 'unreachable') meter.count('degraded');
  if (found) meter.miss(key, operation, began);
  else meter.count('bypassed');
  return undefined;
}

/** Counts a load by its first look alone, however often it looks. */
export function tallier(meter: Meter, request: LoadRequest): (found: Found | undefined) => void {
  const look = { operation: operationOf(request), began: meter.began() };
  let isCounted = false;
  return (found) => {
    if (!isCounted) tally(meter, request.key, request.settings.force ? undefined : found, look);
    isCounted = true;
  };
}

function operationOf(request: LoadRequest): string {
  if (request.kind === 'http') return 'http';
  return loadsOf(request) === 'several' ? 'getOrSetMany' : 'getOrSet';
}
