import type { EntryKey } from '../../keys/key-space.js';
import type { Meter } from '../../observe/meter.js';
import type { Opened } from '../entry.js';
import type { Found } from './finder.js';
import { loadsOf, type LoadRequest } from './loader-run.js';

interface Look {
  /** In messages. */
  readonly operation: string;
  /** What the meter's `began` has given. */
  readonly began?: number | undefined;
}

/** Counts a read of one key by what it has found; gives the value of a hit. */
export function tally(meter: Meter, key: EntryKey, found: Found, look: Look): Opened | undefined {
  const { operation, began } = look;
  if (found.state === 'hit') {
    meter.hit(found.source === 'copy' ? 'l1' : 'redis', key, operation, began);
    return found.value;
  }
  if (found.state === 'unreachable') meter.count('degraded');
  meter.miss(key, operation, began);
  return undefined;
}

/** Counts a load by its first look alone, however often it looks; undefined: it has not looked, or what it finds does not count. */
export function tallier(meter: Meter, request: LoadRequest): (found: Found | undefined) => void {
  const look = { operation: operationOf(request), began: meter.began() };
  let isCounted = false;
  return (found) => {
    if (isCounted) return;
    isCounted = true;
    if (!found || request.settings.force) meter.count('bypassed');
    else tally(meter, request.key, found, look);
  };
}

function operationOf(request: LoadRequest): string {
  if (request.kind === 'http') return 'http';
  return loadsOf(request) === 'several' ? 'getOrSetMany' : 'getOrSet';
}
