import { untilAborted } from '../../common/async.js';
import { Flights, type FlightOutcome } from '../flights.js';
import type { CacheParts } from '../parts.js';
import type { Loads } from './load.js';
import { label, whileWaiting } from './loader-run.js';
import { aboard, type Caller, type Passenger } from './passenger.js';

/** How a load ended, and for whom. */
interface Ended {
  readonly outcome: FlightOutcome;
  readonly passenger: Passenger;
}

/**
 * Loads whose result is not stored: of those who would not wait longer, or may not store; at most one per key, shared by those
 * who came before it began.
 */
export class AsideLoads {
  private readonly flights = new Flights();

  constructor(
    private readonly parts: CacheParts,
    private readonly loads: Loads,
  ) {}

  async load(caller: Caller): Promise<Ended> {
    const { request } = caller;
    const { key, settings } = request;
    const joined = this.flights.join(key.redisKey);
    if (joined) {
      const outcome = await this.parts.meter.wait('process', key, () =>
        whileWaiting(request, untilAborted(joined.outcome, settings.signal)),
      );
      return { outcome, passenger: aboard(caller, joined, 'follower') };
    }
    const flight = this.flights.lead(key.redisKey, (own) => {
      label(own, request);
      return this.loads.loadAside(own, request);
    });
    const outcome = await untilAborted(flight.outcome, settings.signal);
    return { outcome, passenger: aboard(caller, flight, 'leader') };
  }
}
