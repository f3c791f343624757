import { PassingList, type Link } from '../common/passing-list.js';
import { PassingMap } from '../common/passing-map.js';
import { pathOf } from '../tags/table-key.js';
import type { Opened } from './entry.js';
import { isWithinLoad } from './nested-loads.js';
import type { Stamp } from './tier.js';

/** How a load ended, and for whom its value is good. */
export type FlightOutcome =
  /**
   * Stored under an unbroken lease: for everybody who joined before FILL was sent. Who came after the load began must
   * look whether a tag has been evicted meanwhile, which leaves a lease alone.
   */
  | Stored
  /** ACQUIRE answered with a value: for the caller that sent it; whoever joined afterwards reads again. */
  | { kind: 'found'; value: Opened }
  /** Not stored: for those who came before the loader began; the others read again. */
  | { kind: 'unstored'; value: Opened }
  /** Not for sharing at all (a response with a cookie): for the caller that led; the others load for themselves. */
  | { kind: 'private' }
  | { kind: 'failed'; error: unknown }
  /** Somebody else holds the lease, or (`backoff`) nobody is to load for now: all wait, then read again; at once where nobody does any more. */
  | { kind: 'held'; changed: Promise<void> | undefined; backoff?: boolean };

/** What there is has changed: nothing to wait for. */
export const READ_AGAIN: FlightOutcome = { kind: 'held', changed: undefined };

/**
 * A class, as is what else lives for the most of a load: what a literal makes V8 puts among its old objects once most of it has
 * survived a collection, as is the case while a cache starts under load. There it stays, with all that it refers to, until the next
 * full collection: loads then cost a sixth more.
 */
export class Stored {
  readonly kind = 'stored';

  constructor(
    readonly value: Opened,
    readonly stamp: Stamp,
  ) {}
}

let moments = 0;

/** The order in which callers came and loaders began in this process; a clock could not tell two of one tick apart. */
export const nextMoment = (): number => ++moments;

/** One acquisition of one key in this process, from ACQUIRE to FILL. */
export class Flight implements Link<Flight> {
  /** When the loader began; what it read may be older than callers who came later. */
  loadBegan: number | undefined;
  /** What the loader took, once it has ended. */
  costMs: number | undefined;
  /** The value that this load is to replace. */
  stale: Opened | undefined;
  /** Evicted or its lease lost: its result is not stored. */
  doomed = false;
  /** Called when that comes to be so. */
  onDoom: (() => void) | undefined;
  /** Whether its loader is one of several keys at once. */
  loads: 'one' | 'several' = 'one';
  /** Of the entry that it loads. */
  version: string | number | undefined;
  /** Called when a load that runs waits for it; undefined: it was not in line. */
  onUrgent: (() => void) | undefined;
  /** Called when its loader has ended. */
  onLoaded: (() => void) | undefined;
  outcome!: Promise<FlightOutcome>;
  before: Flight | undefined;
  after: Flight | undefined;

  constructor(readonly key: string) {}
}

/**
 * The loads of this process, at most one that can be joined per key. A caller may accept a value only if the command
 * that observed it was sent after the caller came, or the load began after the caller came, or the load's FILL was sent
 * after the caller came and succeeded: hence `loadBegan`, and hence `seal` in the very step that sends FILL.
 */
export class Flights {
  private readonly open = new PassingMap<string, Flight>();
  private readonly running = new PassingList<Flight>();

  /** The flight that a caller may join now. */
  joinable(key: string): Flight | undefined {
    return this.open.get(key);
  }

  /** The same for who joins it: for a load that runs it does not wait in line. */
  join(key: string): Flight | undefined {
    const flight = this.joinable(key);
    if (flight && isWithinLoad()) flight.onUrgent?.();
    return flight;
  }

  lead(key: string, run: (flight: Flight) => Promise<FlightOutcome>): Flight {
    const flight = new Flight(key);
    this.open.set(key, flight);
    const land = <T>(outcome: T): T => {
      this.seal(flight);
      this.running.delete(flight);
      return outcome;
    };
    const failed = (error: unknown): FlightOutcome => land({ kind: 'failed', error });
    flight.outcome = started(flight, run).then(land, failed);
    this.running.add(flight);
    return flight;
  }

  /** Nobody joins from here on. */
  seal(flight: Flight): void {
    if (this.open.get(flight.key) === flight) this.open.delete(flight.key);
  }

  /** Its key was evicted here, or its lease lost: those who wait may still be served, nothing is stored. */
  doom(flight: Flight | undefined): void {
    if (!flight || flight.doomed) return;
    flight.doomed = true;
    this.seal(flight);
    flight.onDoom?.();
  }

  /** As `doom`, for all loads of a namespace. */
  doomWithin(path: string): void {
    for (const flight of this.open.values()) if (pathOf(flight.key) === path) this.doom(flight);
  }

  get size(): number {
    return this.running.size;
  }

  /** Resolves when every load that runs now has ended, however. */
  async settled(): Promise<void> {
    await Promise.all(this.running.items().map(({ outcome }) => outcome));
  }
}

function started(
  flight: Flight,
  run: (flight: Flight) => Promise<FlightOutcome>,
): Promise<FlightOutcome> {
  try {
    return run(flight);
  } catch (error) {
    return Promise.reject(error);
  }
}
