import { refreshKeyOf } from '../../keys/key-space.js';
import type { Opened } from '../entry.js';
import type { Flight, FlightOutcome } from '../flights.js';
import type { CacheParts } from '../parts.js';
import type { Lease } from './lease-keeper.js';
import { LeasedLoads, type LoadState } from './leased-load.js';
import { LoadLine } from './load-line.js';
import type { LoadRequest } from './loader-run.js';

/** Loads, each when it is its turn and under the lease that it needs. */
export class Loads {
  private readonly line: LoadLine;
  private readonly leased: LeasedLoads;

  constructor(
    private readonly parts: CacheParts,
    state: LoadState,
  ) {
    this.line = new LoadLine(parts.settings.loaderConcurrency);
    this.leased = new LeasedLoads(parts, state);
  }

  /** A miss: the lease is taken at the entry itself, in place of `reject`, a value that cannot be used. */
  load(
    flight: Flight,
    request: LoadRequest,
    miss: Pick<Lease, 'reject' | 'c0' | 'onMissing'>,
  ): Promise<FlightOutcome> {
    return this.inTurn(flight, request, () => {
      const { ids, settings, tier } = this.parts;
      const token = ids.next();
      const { redisKey: key } = request.key;
      const { errorBackoffMs: backoffMs, loaderConcurrency } = settings;
      const note = tier?.note(key);
      // While it was in line tags may have been evicted.
      const c0 = loaderConcurrency === Infinity ? miss.c0 : undefined;
      const { reject, onMissing } = miss;
      const ownIds = { token, expectId: token, newId: token };
      const lease = { key, ...ownIds, reject, c0, backoffMs, note, onMissing };
      return this.leased.run(flight, request, lease);
    });
  }

  /** A value that stays where it is until the new one is there: the lease is taken at the key's refresh lease. */
  refresh(
    flight: Flight,
    request: LoadRequest,
    seen: { id: string; value: Opened; backoffMs: number },
  ): Promise<FlightOutcome> {
    flight.stale = seen.value;
    return this.inTurn(flight, request, () => this.refreshNow(flight, request, seen));
  }

  /** Redis cannot be reached, or must not be asked, or the wait for somebody else's load took too long: nothing is stored. */
  loadAside(flight: Flight, request: LoadRequest): Promise<FlightOutcome> {
    return this.line.run(flight, request.loader, () => this.leased.withoutLease(flight, request));
  }

  /** Loads go on for those who wait for them, and are not stored; who comes to another process loads there at once. */
  giveUpLeases(): Promise<void> {
    return this.leased.keeper.giveUp();
  }

  /** What would not be stored needs no lease. */
  private inTurn(
    flight: Flight,
    request: LoadRequest,
    begin: () => Promise<FlightOutcome>,
  ): Promise<FlightOutcome> {
    return this.line.run(flight, request.loader, () =>
      flight.doomed || this.leased.keeper.hasGivenUp
        ? this.leased.withoutLease(flight, request)
        : begin(),
    );
  }

  private async refreshNow(
    flight: Flight,
    request: LoadRequest,
    { id: expectId, backoffMs }: { id: string; backoffMs: number },
  ): Promise<FlightOutcome> {
    const { ids } = this.parts;
    const key = refreshKeyOf(request.key);
    const note = this.parts.tier?.note(request.key.redisKey);
    const ownIds = { token: ids.next(), expectId, newId: ids.next() };
    const lease = { key, ...ownIds, reject: '', c0: undefined, backoffMs, note };
    const outcome = await this.leased.run(flight, request, lease);
    // Filling the entry ends a lease that lies there, and not this one.
    if (outcome.kind === 'stored') {
      this.parts.feed.own({ reason: 'set', keys: [request.key] });
      await this.leased.release(lease, 0);
    }
    return outcome;
  }
}
