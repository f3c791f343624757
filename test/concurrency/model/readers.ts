import { Flights, type FlightParts, type Outcome } from './flights.js';
import { COPY_BITS, versionOf } from './redis-entry.js';
import type { RecordOf } from './world.js';

const READER = {
  phase: ['away', 'reading', 'read', 'follows', 'in flight', 'waits'],
  /** What its GET saw. */
  saw: ['absent', 'value', 'lease', 'barrier'],
  copy: COPY_BITS,
  soft: 'flag',
  /** The value that it saw is still there. */
  holds: 'flag',
  /** The version that was promised when it came. */
  since: 2,
  /** That it has joined; while it follows, whose GET. */
  flight: { ref: 'flight' },
  /** The last flight of its process whose loader has begun since it came. */
  before: { ref: 'flight' },
} as const;

/** The process of each, of so many in each process. */
const processes = (perProcess: readonly number[]): number[] =>
  perProcess.flatMap((count, process) => Array<number>(count).fill(process));

/**
 * Callers of getOrSet: the counterpart of `read/reader.ts`. The i-th flight is the one that the i-th caller leads. Who
 * has got its value may come again, so that their number is that of concurrent reads and not of all.
 *
 * Left out, because each leads only to a load or a read that begins later: waiting for a wait of the same process instead
 * of asking for the lease oneself, losing patience, a failing loader, and waking too early.
 */
export class Readers {
  readonly readers: RecordOf<typeof READER>[];
  readonly processOf: number[];
  readonly loads: Flights;
  private readonly parts: FlightParts;
  private readonly mayNotLook: boolean;

  constructor(
    parts: Omit<FlightParts, 'onBegin' | 'onEnd'>,
    /** How many of them in each process, and of flights that nobody waits for. */
    {
      perProcess,
      background,
      mayNotLook,
    }: { perProcess: readonly number[]; background: readonly number[]; mayNotLook: boolean },
  ) {
    this.mayNotLook = mayNotLook;
    const { world, entry, hooks } = parts;
    this.parts = {
      ...parts,
      onBegin: (flight) => this.onBegin(flight),
      onEnd: (flight, outcome) => this.onEnd(flight, outcome),
    };
    this.processOf = [perProcess, background].flatMap(processes);
    this.readers = world.records('reader', processes(perProcess).length, READER);
    entry.rememberedBy(this.readers);
    const names = this.processOf.map((_, i) => this.nameOf(i));
    this.loads = new Flights(this.parts, this.processOf, names);
    hooks.attach(this);
    this.readers.forEach((_, i) => this.addReader(i));
  }

  /** Of a reader, and of the flight that it leads. */
  nameOf(i: number): string {
    const process = 'AB'[this.processOf[i]!]!;
    return i < this.readers.length ? `${process}${i + 1}` : `${process}-background`;
  }

  private addReader(i: number): void {
    const { world, entry, hooks } = this.parts;
    const reader = this.readers[i]!;
    const name = this.nameOf(i);
    const at = world.phases(reader);
    world.perhaps(`${name} begins`, at('away'), () => this.begin(i));
    if (this.mayNotLook)
      world.perhaps(`${name} begins without a GET`, at('away'), () => this.beginBlindly(i));
    world.rule(`${name} GET executes`, at('reading'), () => {
      const { type, copy, soft } = entry.now;
      reader.phase = 'read';
      reader.saw = type;
      reader.copy = copy;
      reader.soft = soft;
      reader.holds = type === 'value';
      return type;
    });
    const isBack = (): boolean => reader.phase === 'read' && hooks.getComplete(i);
    world.rule(`${name} GET replies`, isBack, () => this.onReply(i));
    const isFree = (): boolean => reader.phase === 'waits' && entry.now.type !== 'lease';
    world.rule(`${name} is woken, GET sent`, isFree, () => this.sendGet(i));
  }

  private begin(i: number): string {
    const { world, truth, hooks } = this.parts;
    const { readers, processOf } = this;
    if (hooks.servedLocally(i)) return 'served from the copy in its process';
    readers[i]!.since = truth.promised;
    const sent = readers.findIndex(
      ({ phase }, j) => processOf[j] === processOf[i] && (phase === 'reading' || phase === 'read'),
    );
    if (sent >= 0 && world.weak('getjoin')) {
      Object.assign(readers[i]!, { phase: 'follows', flight: sent });
      return `joins the GET of ${this.nameOf(sent)}`;
    }
    this.sendGet(i);
    return 'GET sent';
  }

  /** Most likely there is nothing, so it asks for the lease at once: the counterpart of `read/load-looks.ts`. */
  private beginBlindly(i: number): string {
    const { truth, hooks } = this.parts;
    if (hooks.servedLocally(i)) return 'served from the copy in its process';
    this.readers[i]!.since = truth.promised;
    hooks.getSent(i);
    hooks.getMissed(i);
    return this.joinOrLead(i, { holds: false, refresh: false });
  }

  private sendGet(i: number): void {
    this.become(i, 'reading');
    this.parts.hooks.getSent(i);
  }

  /** Forgets everything but when it came. */
  private become(i: number, phase: 'reading' | 'in flight' | 'waits'): void {
    const reader = this.readers[i]!;
    const { since, before } = reader;
    this.parts.world.clear(reader);
    reader.phase = phase;
    reader.since = since;
    reader.before = before;
  }

  private onReply(i: number): string {
    const { saw, copy, holds, soft } = this.readers[i]!;
    const followers = this.readers.filter(
      ({ phase, flight }) => phase === 'follows' && flight === i,
    );
    const outcome = this.decide(i);
    for (const follower of followers) {
      Object.assign(follower, { saw, copy, holds, soft });
      this.decide(this.readers.indexOf(follower));
    }
    return outcome;
  }

  private decide(i: number): string {
    const { hooks } = this.parts;
    const { saw, copy, soft, holds } = this.readers[i]!;
    const isUsable = saw === 'value' && hooks.usable(i, copy);
    if (isUsable && !soft) {
      hooks.getUsed(i, copy);
      return this.serve(i, copy, 'hit');
    }
    hooks.getMissed(i);
    return this.joinOrLead(i, { holds, refresh: isUsable });
  }

  private joinOrLead(i: number, load: { holds: boolean; refresh: boolean }): string {
    const reader = this.readers[i]!;
    const joined = this.loads.joinable(this.processOf[i]!);
    this.become(i, 'in flight');
    if (joined < 0) {
      this.loads.lead(i, load);
      reader.flight = i;
      return load.refresh ? 'leads a refresh' : 'leads a load, ACQUIRE sent';
    }
    reader.flight = joined;
    const isLate = this.loads.hasStarted(joined) && reader.before !== joined;
    return isLate ? 'joins a flight late' : 'joins a flight';
  }

  private onBegin(f: number): void {
    this.readers.forEach((reader, i) => {
      const isHere = this.processOf[i] === this.processOf[f] && reader.phase !== 'away';
      const isAboard = reader.phase === 'in flight';
      if (isHere && (!isAboard || reader.flight === f)) reader.before = f;
    });
  }

  private onEnd(f: number, outcome: Outcome): void {
    const { copy } = this.loads.flights[f]!;
    this.readers.forEach((reader, i) => {
      const cameBefore = reader.before === f;
      if (cameBefore) reader.before = -1;
      if (reader.phase !== 'in flight' || reader.flight !== f) return;
      if (this.accepts(i, outcome, cameBefore))
        this.serve(i, copy, i === f ? outcome : `joined, ${outcome}`);
      else if (outcome === 'held') this.become(i, 'waits');
      else this.sendGet(i);
    });
  }

  private accepts(i: number, outcome: Outcome, cameBefore: boolean): boolean {
    const { world, hooks } = this.parts;
    const { flight } = this.readers[i]!;
    const { copy } = this.loads.flights[flight]!;
    switch (outcome) {
      case 'stored':
        return cameBefore || hooks.joinable(i, copy);
      case 'unstored':
        return cameBefore || world.weak('joinany');
      case 'found':
        return (i === flight || world.weak('foundany')) && hooks.usable(i, copy);
      case 'held':
        return false;
    }
  }

  /** The caller has its value. */
  serve(i: number, copy: number, how: string): string {
    const { world, hooks } = this.parts;
    const { since } = this.readers[i]!;
    const version = versionOf(copy);
    world.clear(this.readers[i]!);
    hooks.left(i);
    if (version < since)
      world.violation ??= {
        kind: 'stale read',
        text: `${this.nameOf(i)} began when v${since} was promised, and got v${version} (${how})`,
      };
    return how;
  }
}
