import type { EntryKey } from '../../keys/key-space.js';
import type { Meter } from '../../observe/meter.js';
import type { LoadSettings } from '../entry.options.js';
import type { LoadRequest } from './loader-run.js';
import type { Party } from './party.js';
import type { Caller, Served } from './passenger.js';

interface Way {
  readonly settings: LoadSettings;
  readonly led: Promise<Served | undefined>;
  followed?: Promise<Followed>;
}

/** What has been done for all of a party; undefined: not in time for those who follow. */
type Followed = { readonly served: Served | undefined } | undefined;

interface Choices {
  /** This caller goes first. */
  lead: (caller: Caller) => Promise<Served | undefined>;
  /** As long as this caller waits; so do all who follow, who came in the same tick. */
  patiently: (led: Promise<Followed>) => Promise<Followed>;
  /** This caller follows, and what was done was not in time for it. */
  late: () => Promise<Served | undefined>;
}

/**
 * Those of a party who have just come and ask for the same: what the first of them does after their look is done for all. It is
 * as good as if each had done it, because it is done after all of them have come. Not where each gets a value of its own.
 */
export class Together {
  private readonly ways = new WeakMap<Party, Way>();

  constructor(private readonly meter: Meter) {}

  /** Undefined: this caller goes alone. */
  go(
    party: Party,
    caller: Caller,
    { lead, patiently, late }: Choices,
  ): Promise<Served | undefined> | undefined {
    const { request } = caller;
    if (!isForAll(request)) return undefined;
    const way = this.ways.get(party);
    if (!way) {
      const led = lead({ ...caller, came: party.met });
      this.ways.set(party, { settings: request.settings, led });
      return led;
    }
    if (!areAlike(way.settings, request.settings)) return undefined;
    way.followed ??= patiently(way.led.then((served) => ({ served })));
    return this.follow(way.followed, request.key, late);
  }

  private async follow(
    followed: Promise<Followed>,
    key: EntryKey,
    late: Choices['late'],
  ): Promise<Served | undefined> {
    const end = this.meter.waiting('process', key);
    try {
      const inTime = await followed;
      if (inTime?.served?.source === 'stale') this.meter.count('staleServed');
      if (inTime) return inTime.served;
    } finally {
      end();
    }
    return late();
  }
}

const isForAll = ({ kind, loader, settings }: LoadRequest): boolean =>
  kind === 'value' && typeof loader === 'function' && !settings.schema;

function areAlike(these: LoadSettings, those: LoadSettings): boolean {
  if (these === those) return true;
  for (const name of Object.keys(these) as (keyof LoadSettings)[])
    if (these[name] !== those[name] && !(name === 'tags' && haveSameTags(these, those)))
      return false;
  return true;
}

const haveSameTags = ({ tags: these = [] }: LoadSettings, { tags: those = [] }: LoadSettings) =>
  these.length === those.length && these.every((tag, i) => tag === those[i]);
