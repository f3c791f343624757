import { addEvictors, addSymmetries, entryModel, type Crowd } from './entry-model.js';
import { ReadHooks, type Callers } from './read-hooks.js';
import type { RedisEntry } from './redis-entry.js';
import type { Weakening } from './weakenings.js';
import type { World } from './world.js';

const COPY = {
  /** On its way. */
  late: 'flag',
  /** Of the flight that is there now, not of one before it. */
  own: 'flag',
} as const;

/**
 * A client that sends what was in flight once more when its connection goes. Redis executes both copies, and the first
 * perhaps long after the second, for it travels on the old connection. A late copy of ACQUIRE that finds the key evicted
 * grants the same token again, to a load that began before the evict: that is why our connections never resend
 * (`redis/connection.ts`). Sound it would be if each grant had an id of its own, which is the model without `resend`.
 */
class LateCopies extends ReadHooks {
  private copies!: { late: boolean; own: boolean }[];

  constructor(
    private readonly world: World,
    private readonly entryOf: () => RedisEntry,
  ) {
    super();
  }

  override attach(callers: Callers): void {
    super.attach(callers);
    this.copies = this.world.records('flight', callers.loads.flights.length, COPY);
    this.copies.forEach((copy, f) => {
      const flight = callers.loads.flights[f]!;
      const name = callers.nameOf(f);
      const maySend = (): boolean => flight.phase === 'acquiring' && !copy.late;
      this.world.perhaps(`${name} ACQUIRE is sent again`, maySend, () => {
        Object.assign(copy, { late: true, own: true });
      });
      const isLate = (): boolean => copy.late;
      this.world.perhaps(`${name} late copy of ACQUIRE executes`, isLate, () => {
        const granted = this.entryOf().acquireLate(copy.own ? flight : undefined);
        Object.assign(copy, { late: false, own: false });
        return granted;
      });
    });
  }

  override flightEnded(flight: number): void {
    this.copies[flight]!.own = false;
  }
}

export function resendModel(weak: readonly Weakening[], crowd: Crowd): World {
  const model = entryModel(weak, crowd, (world) => new LateCopies(world, () => model.entry));
  addEvictors(model, crowd.writers);
  addSymmetries(model, crowd.writers);
  return model.world;
}
