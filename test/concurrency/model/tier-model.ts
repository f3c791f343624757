import { addEvictors, addSymmetries, entryModel, type Crowd } from './entry-model.js';
import { ReadHooks, type Callers } from './read-hooks.js';
import { versionOf } from './redis-entry.js';
import type { Weakening } from './weakenings.js';
import type { RecordOf, World } from './world.js';

const TIER = {
  /** Of its connection: 'broken' is not known to the process yet, 'subscribed' not yet acknowledged. */
  phase: ['live', 'broken', 'down', 'subscribed'],
  holds: 'flag',
  version: 2,
  /** Newest version whose evict has returned in this process. */
  promised: 2,
  /** On their way here: that there was an evict is all that they say. */
  messages: 2,
  /** One was lost on a healthy connection, which the numbers of the others will show. */
  gap: 'flag',
} as const;

/**
 * The epoch that was noted when a command was sent, by a reader for its GET and by a flight for ACQUIRE. An epoch only
 * counts on, so all that matters of a note is whether it still holds.
 */
const NOTE = { good: 'flag' } as const;

/** The in-process tiers, and the listener that keeps them true. */
export class Tiers extends ReadHooks {
  private tiers!: RecordOf<typeof TIER>[];
  private ofReader!: RecordOf<typeof NOTE>[];
  private ofFlight!: RecordOf<typeof NOTE>[];

  constructor(
    private readonly world: World,
    private readonly processes: number,
  ) {
    super();
  }

  override attach(callers: Callers): void {
    super.attach(callers);
    this.tiers = this.world.records('process', this.processes, TIER);
    this.ofReader = this.world.records('reader', callers.readers.length, NOTE);
    this.ofFlight = this.world.records('flight', callers.loads.flights.length, NOTE);
    this.tiers.forEach((_, process) => this.addListener(process));
  }

  override servedLocally(reader: number): boolean {
    const process = this.callers.processOf[reader]!;
    const { holds, version, promised } = this.tiers[process]!;
    if (!holds || !this.isUp(process)) return false;
    if (version < promised)
      this.world.violation ??= {
        kind: 'own evict not seen',
        text: `${this.callers.nameOf(reader)} got v${version} from its process, which had evicted v${promised}`,
      };
    return true;
  }

  override getSent(reader: number): void {
    this.ofReader[reader]!.good = this.isUp(this.callers.processOf[reader]!);
  }

  override getUsed(reader: number, copy: number): void {
    this.keep(reader, this.ofReader[reader]!, copy);
  }

  override getMissed(reader: number): void {
    this.ofReader[reader]!.good = false;
  }

  override acquireSent(flight: number): void {
    this.ofFlight[flight]!.good = this.isUp(this.callers.processOf[flight]!);
  }

  override flightUsed(flight: number, copy: number): void {
    this.keep(flight, this.ofFlight[flight]!, copy);
  }

  override flightEnded(flight: number): void {
    this.ofFlight[flight]!.good = false;
  }

  override left(reader: number): void {
    this.ofReader[reader]!.good = false;
  }

  override evicting(process: number): void {
    this.drop(process);
  }

  /** Its own process has no need of the message: it drops its copy itself, before and after. */
  override evicted(process: number): void {
    this.tiers.forEach((tier, other) => {
      const hears = tier.phase === 'live' || tier.phase === 'subscribed';
      if (other !== process && hears) tier.messages++;
    });
  }

  override evictReturned(process: number, version: number): void {
    const tier = this.tiers[process];
    if (tier && version > tier.promised) tier.promised = version;
  }

  checkRest(promised: number) {
    for (const [process, { holds, version }] of this.tiers.entries())
      if (holds && version < promised)
        return {
          kind: 'stale copy at rest',
          text: `process ${'AB'[process]} holds v${version} although v${promised} was promised`,
        } as const;
    return undefined;
  }

  private isUp(process: number): boolean {
    const { phase } = this.tiers[process]!;
    return phase === 'live' || phase === 'broken' || this.world.weak('earlylive');
  }

  private keep(i: number, note: RecordOf<typeof NOTE>, copy: number): void {
    const process = this.callers.processOf[i]!;
    if (!this.isUp(process)) return;
    if (!note.good && !this.world.weak('noguard')) return;
    const tier = this.tiers[process]!;
    tier.holds = true;
    tier.version = versionOf(copy);
  }

  /** Also counts the epoch on. */
  private drop(process: number): void {
    const tier = this.tiers[process];
    if (!tier) return;
    tier.holds = false;
    tier.version = 0;
    const { processOf } = this.callers;
    this.ofReader.forEach((note, i) => void (processOf[i] === process && (note.good = false)));
    this.ofFlight.forEach((note, f) => void (processOf[f] === process && (note.good = false)));
  }

  private addListener(process: number): void {
    const { world } = this;
    const tier = this.tiers[process]!;
    const name = `${'AB'[process]}-listener`;
    const at = world.phases(tier);
    const hears = (): boolean => tier.phase === 'live' && tier.messages > 0;
    const misses = (): boolean => tier.gap;
    world.rule(`${name} hears of an evict`, hears, () => {
      tier.messages--;
      this.drop(process);
    });
    world.perhaps(`a message to ${name} is lost`, hears, () => {
      tier.messages--;
      if (!world.weak('lostmsg')) tier.gap = true;
    });
    world.rule(`${name} notices a gap`, misses, () => {
      tier.gap = false;
      this.drop(process);
    });
    world.perhaps(`${name} connection breaks`, at('live'), () => {
      tier.phase = 'broken';
      tier.messages = 0;
    });
    world.rule(`${name} notices that`, at('broken'), () => {
      tier.phase = 'down';
      tier.gap = false;
      if (!world.weak('noflush')) this.drop(process);
    });
    world.rule(`${name} SUBSCRIBE executes`, at('down'), () => {
      tier.phase = 'subscribed';
    });
    world.rule(`${name} SUBSCRIBE is acknowledged`, at('subscribed'), () => {
      tier.phase = 'live';
      if (!world.weak('noflush') && !world.weak('earlylive')) this.drop(process);
    });
  }
}

export function tierModel(weak: readonly Weakening[], crowd: Crowd): World {
  let tiers!: Tiers;
  const model = entryModel(
    weak,
    crowd,
    (world) => (tiers = new Tiers(world, crowd.readers.length)),
  );
  addEvictors(model, crowd.writers);
  addSymmetries(model, crowd.writers);
  model.world.atRest(() => tiers.checkRest(model.truth.promised));
  return model.world;
}
