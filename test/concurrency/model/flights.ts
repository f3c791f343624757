import type { ReadHooks } from './read-hooks.js';
import { COPY_BITS, type RedisEntry } from './redis-entry.js';
import type { RecordOf, World } from './world.js';

const FLIGHT = {
  phase: ['none', 'acquiring', 'acquired', 'granted', 'loading', 'loaded', 'filling', 'filled'],
  /** Of ACQUIRE. */
  reply: ['granted', 'value', 'held', 'barrier'],
  copy: COPY_BITS,
  holds: 'flag',
  refresh: 'flag',
  /** It can be joined. */
  open: 'flag',
  doomed: 'flag',
  stored: 'flag',
} as const;

export type Outcome = 'stored' | 'unstored' | 'found' | 'held';

const TRUTH = {
  /** Version of the row at the source. */
  committed: 2,
  /** A read that begins now must not see an older one: the newest whose evict has returned. */
  promised: 2,
} as const;
export type Truth = RecordOf<typeof TRUTH>;
export const truthOf = (world: World): Truth => world.record(TRUTH);

export interface FlightParts {
  world: World;
  entry: RedisEntry;
  truth: Truth;
  hooks: ReadHooks;
  onBegin: (flight: number) => void;
  /** Hears of a flight's end while its record can still be read. */
  onEnd: (flight: number, outcome: Outcome) => void;
}

/**
 * The loads of each process, from ACQUIRE to FILL: the counterpart of `read/load.ts` and `flights.ts`. A refresh begins
 * with its loader: the lease of its own, which it would take before, only keeps refreshes from happening.
 */
export class Flights {
  readonly flights: RecordOf<typeof FLIGHT>[];

  constructor(
    private readonly parts: FlightParts,
    private readonly processOf: readonly number[],
    names: readonly string[],
  ) {
    this.flights = parts.world.records('flight', processOf.length, FLIGHT);
    parts.entry.rememberedBy(this.flights);
    names.forEach((name, f) => {
      this.addLoad(f, name);
      this.addEnd(f, name);
    });
  }

  /** The one that a caller of this process would join. */
  joinable(process: number): number {
    return this.flights.findIndex(({ open }, f) => open && this.processOf[f] === process);
  }

  hasStarted(f: number): boolean {
    const { phase } = this.flights[f]!;
    return phase !== 'acquiring' && phase !== 'acquired' && phase !== 'granted';
  }

  /** `holds`: it has the id of a value at the key, to replace it on FILL (a refresh) or by its lease (rejected). */
  lead(f: number, { holds, refresh }: { holds: boolean; refresh: boolean }): void {
    const flight = this.flights[f]!;
    flight.phase = refresh ? 'granted' : 'acquiring';
    flight.open = true;
    flight.holds = holds;
    flight.refresh = refresh;
    this.parts.hooks.acquireSent(f);
  }

  /** What a local evict does to what can be joined. */
  doom(process: number): void {
    const f = this.joinable(process);
    if (f >= 0) this.doomOne(f);
  }

  private doomOne(f: number): void {
    const flight = this.flights[f]!;
    flight.open = false;
    flight.doomed = true;
  }

  private addLoad(f: number, name: string): void {
    const { world, entry, truth, hooks, onBegin } = this.parts;
    const flight = this.flights[f]!;
    const at = world.phases(flight);
    const isAcquired = (): boolean => flight.phase === 'acquired' && hooks.acquireComplete(f);
    const isGranted = (): boolean => flight.phase === 'granted' && hooks.acquireComplete(f);
    const isLost = (): boolean => flight.open && !flight.holds && this.hasStarted(f);
    world.rule(`${name} ACQUIRE executes`, at('acquiring'), () => {
      flight.phase = 'acquired';
      return (flight.reply = entry.acquire(flight));
    });
    world.rule(`${name} ACQUIRE replies`, isAcquired, () => this.onAcquired(f));
    world.rule(`${name} loader begins`, isGranted, () => {
      flight.phase = 'loading';
      onBegin(f);
    });
    world.rule(`${name} loader reads the source`, at('loading'), () => {
      flight.phase = 'loaded';
      flight.copy = hooks.stamp(f, truth.committed);
      return `v${truth.committed}`;
    });
    world.perhaps(`${name} RENEW says that the lease is lost`, isLost, () => {
      this.doomOne(f);
    });
  }

  private onAcquired(f: number): string {
    const flight = this.flights[f]!;
    const { hooks } = this.parts;
    if (flight.reply === 'value') {
      if (hooks.usable(f, flight.copy)) hooks.flightUsed(f, flight.copy);
      return this.end(f, 'found');
    }
    if (flight.reply === 'held') return this.end(f, 'held');
    flight.phase = 'granted';
    if (flight.reply === 'granted') return 'granted';
    this.doomOne(f);
    return 'barrier, will load and not store';
  }

  private addEnd(f: number, name: string): void {
    const { world, entry, hooks } = this.parts;
    const flight = this.flights[f]!;
    const at = world.phases(flight);
    const isLoaded = (): boolean => flight.phase === 'loaded' && hooks.loadComplete(f);
    const isDoomed = (): boolean => isLoaded() && flight.doomed;
    const isGood = (): boolean => isLoaded() && !flight.doomed;
    world.rule(`${name} RELEASE, nothing is stored`, isDoomed, () => {
      entry.release(flight);
      if (flight.reply === 'barrier' && world.weak('asidekept')) hooks.flightUsed(f, flight.copy);
      return this.end(f, 'unstored');
    });
    world.rule(`${name} FILL sent`, isGood, () => {
      flight.phase = 'filling';
      if (!world.weak('joinsealed')) flight.open = false;
      hooks.fillSent(f);
    });
    world.rule(`${name} FILL executes`, at('filling'), () => {
      flight.phase = 'filled';
      flight.stored = entry.fill(flight);
      return flight.stored ? 'stored' : 'refused';
    });
    world.rule(`${name} FILL replies`, at('filled'), () => {
      if (flight.stored) hooks.flightUsed(f, flight.copy);
      return this.end(f, flight.stored ? 'stored' : 'unstored');
    });
  }

  private end(f: number, outcome: Outcome): string {
    const { world, hooks, onEnd } = this.parts;
    onEnd(f, outcome);
    world.clear(this.flights[f]!);
    hooks.flightEnded(f);
    return outcome;
  }
}
