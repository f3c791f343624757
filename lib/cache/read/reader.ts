import type { CallModes } from '../call-mode.js';
import type { Flights, Flight, FlightOutcome } from '../flights.js';
import type { LeaseWaits } from '../lease-waits.js';
import { isWithinLoad, isWithinOther } from '../nested-loads.js';
import type { CacheParts } from '../parts.js';
import { AsideLoads } from './aside.js';
import type { Finder } from './finder.js';
import { BYPASSED, UNSEEN, type Found, type InGrace } from './found.js';
import type { Loads } from './load.js';
import { LoadLooks } from './load-looks.js';
import { label, whileWaiting, type LoadRequest } from './loader-run.js';
import {
  aboard,
  arriving,
  cameBefore,
  fittingServed,
  forced,
  isOfOtherVersion,
  isOthers,
  isSpare,
  leaseOf,
  limitsOf,
  ownOnly,
  sourceFor,
  waitedInVain,
  type Caller,
  type Passenger,
  wantedBy,
  type Served,
} from './passenger.js';
import { patiently } from './patience.js';
import type { Refresher } from './refresher.js';
import { tallier } from './tally.js';
import { Together } from './together.js';
import { isSurelyValid } from '../still-valid.js';

interface ReaderState {
  readonly flights: Flights;
  readonly waits: LeaseWaits;
  readonly finder: Finder;
  readonly loads: Loads;
  readonly refresher: Refresher;
  readonly modes: CallModes;
}

/**
 * Reads, and on a miss loads. The only place that goes round: whenever a wait or a flight ends without a value that the
 * caller may accept, it reads again by a command sent after that.
 */
export class Reader {
  private readonly aside: AsideLoads;
  /** Of methods with the key of the handler that has called them. */
  private readonly within: AsideLoads;
  private readonly together: Together;
  private readonly looks: LoadLooks;

  constructor(
    private readonly parts: CacheParts,
    private readonly state: ReaderState,
  ) {
    this.aside = new AsideLoads(parts, state.loads);
    this.within = new AsideLoads(parts, state.loads);
    this.together = new Together(parts.meter);
    this.looks = new LoadLooks(parts, state);
  }

  /** The value, loaded if need be by this caller or whoever is at it already. `seen`: by a look for this caller just now. */
  async getOrLoad(given: LoadRequest, seen?: Found): Promise<Served> {
    const { modes } = this.state;
    const request = modes.mode === 'refresh' ? forced(given) : given;
    const { settings } = request;
    const now = this.parts.clock.monotonic();
    const count = tallier(this.parts.meter, request);
    const contentFrom = now + this.parts.settings.softTimeoutMs;
    const newcomer = arriving(request, now, count);
    for (let first = seen, isBack = false; ; first = undefined, isBack = true) {
      settings.signal?.throwIfAborted();
      // Awaited also where it is there: all who come in one tick have asked before the first of them goes on.
      const found = first ?? (await this.looks.find(request, { isBack }));
      if (found !== UNSEEN) count(found === BYPASSED ? undefined : found);
      if (found.state === 'hit' && !settings.force) {
        this.state.refresher.read(request, found);
        return found;
      }
      const spare = isSpare(found, settings) ? found : undefined;
      if (spare && this.isGoodForNow(spare, request)) return this.stale(spare);
      const caller = spare ? { ...newcomer, contentFrom } : newcomer;
      const within = isWithinOther(request, this.parts.store) ? this.within : undefined;
      // Those who are back have come at different times, and so wait until different times; a load does not wait for a turn.
      const alone = isBack || isWithinLoad() || modes.storesNothing;
      const led = alone ? this.load(found, caller, within) : this.loadTogether(found, caller);
      const served = await led;
      if (served) return served;
    }
  }

  /** As `load`, once for all whose look it was and who ask for the same. */
  private loadTogether(found: Found, caller: Caller): Promise<Served | undefined> {
    if (!found.party) return this.load(found, caller);
    const together = this.together.go(found.party, caller, {
      lead: (first) => this.load(found, first),
      patiently: (led) => patiently(led, limitsOf(caller, this.parts.clock)),
      late: () => this.outOfPatience(caller),
    });
    return together ?? this.load(found, caller);
  }

  /** By whoever is at it already, or by this caller. */
  private load(found: Found, caller: Caller, aside?: AsideLoads): Promise<Served | undefined> {
    if (aside || this.state.modes.storesNothing) return this.loadAside(caller, aside);
    const { key } = caller.request;
    const joined = this.state.flights.join(key.redisKey);
    if (joined) return (caller.count(found), this.join(joined, caller));
    const wait = leaseOf(found, key, this.state.waits);
    return wait ? this.waitFor(wait.ended, caller) : this.lead(found, caller);
  }

  /** A value in grace is given at once: it is refreshed in the background, or it is known that nobody is to load for now. */
  private isGoodForNow(found: InGrace, request: LoadRequest): boolean {
    if (!request.settings.staleWhileRevalidate)
      return leaseOf(found, request.key, this.state.waits)?.backoff ?? false;
    this.state.refresher.start(request, found);
    return true;
  }

  /** The value in grace, if there is one; read again, because meanwhile it may have been evicted, or replaced. */
  private async standIn({ request, contentFrom }: Caller): Promise<Served | undefined> {
    if (contentFrom === undefined) return undefined;
    const found = await this.state.finder.find(wantedBy(request));
    if (found.state === 'hit') return found;
    return isSpare(found, request.settings) ? this.stale(found) : undefined;
  }

  private stale({ value }: InGrace): Served {
    this.parts.meter.count('staleServed');
    return { source: 'stale', value };
  }

  private lead(found: Found, caller: Caller): Promise<Served | undefined> {
    const { flights, loads, refresher } = this.state;
    const { request, contentFrom: until = Infinity, count } = caller;
    const flight = flights.lead(request.key.redisKey, (own) => {
      label(own, request);
      if (found.state === 'unreachable') return loads.loadAside(own, request);
      if (found.state === 'hit' || found.state === 'stale')
        return refresher.refresh(own, request, found);
      const reject = found.state === 'absent' ? found.reject : '';
      return loads.load(own, request, { reject, c0: found.c0, onMissing: () => count(found) });
    });
    const limits = { clock: this.parts.clock, until, signal: request.settings.signal };
    return patiently(flight.outcome, limits).then((outcome) => {
      // What is there after all is found by a look, as always.
      if (found === UNSEEN && outcome?.kind === 'found') return undefined;
      count(found);
      return outcome
        ? this.serve(outcome, aboard(caller, flight, 'leader'))
        : this.outOfPatience(caller);
    });
  }

  private async join(flight: Flight, caller: Caller): Promise<Served | undefined> {
    const outcome = await this.patiently(flight.outcome, caller, 'process');
    if (!outcome) return this.outOfPatience(caller);
    return this.serve(outcome, aboard(caller, flight, 'follower'));
  }

  /** What an outcome is for this caller; undefined: nothing that it may accept, so it reads again. */
  private serve(
    outcome: FlightOutcome,
    passenger: Passenger,
  ): Served | undefined | Promise<Served | undefined> {
    if (outcome.kind !== 'held' && isOfOtherVersion(passenger)) return undefined;
    const { settings } = passenger.request;
    const served =
      outcome.kind === 'stored' && cameBefore(passenger)
        ? { source: sourceFor(passenger), value: outcome.value }
        : this.offer(outcome, passenger);
    return settings.schema
      ? fittingServed(served, settings, () => this.standIn(passenger))
      : served;
  }

  private async offer(outcome: FlightOutcome, passenger: Passenger): Promise<Served | undefined> {
    const { request, role } = passenger;
    const { force } = request.settings;
    const source = sourceFor(passenger);
    switch (outcome.kind) {
      case 'stored':
        // Who forces wants a load that began after he asked.
        return !force && (await isSurelyValid(this.parts, request.key, outcome.stamp))
          ? { source, value: outcome.value }
          : undefined;
      case 'unstored':
        return cameBefore(passenger) && !isOthers(outcome, passenger)
          ? { source, value: outcome.value }
          : undefined;
      case 'found':
        return role === 'leader' && !force ? { source: 'hit', value: outcome.value } : undefined;
      case 'held':
        return (
          (outcome.backoff && (await this.standIn(passenger))) ||
          (outcome.changed && this.waitFor(outcome.changed, passenger))
        );
      case 'failed':
        return (await this.standIn(passenger)) ?? ownOnly(outcome, passenger);
      default:
        return ownOnly(outcome, passenger);
    }
  }

  private async waitFor(changed: Promise<void>, caller: Caller): Promise<Served | undefined> {
    const over = changed.then(() => true);
    const woken = await this.patiently(over, caller, 'cluster');
    return woken ? undefined : this.outOfPatience(caller);
  }

  /** The result, or undefined once the caller's `waitTimeout` has passed. */
  private patiently<T>(
    promise: Promise<T>,
    caller: Caller,
    source: 'process' | 'cluster',
  ): Promise<T | undefined> {
    return this.parts.meter.wait(source, caller.request.key, () =>
      whileWaiting(caller.request, patiently(promise, limitsOf(caller, this.parts.clock))),
    );
  }

  private async outOfPatience(caller: Caller): Promise<Served | undefined> {
    if (caller.contentFrom !== undefined) return this.standIn(caller);
    const isLeftAlone = this.state.waits.current(caller.request.key.redisKey)?.backoff;
    if (isLeftAlone || this.parts.settings.lease.onWaitTimeout === 'throw')
      throw waitedInVain(caller, isLeftAlone ? 'the errorBackoff' : 'a load');
    return this.loadAside(caller);
  }

  private async loadAside(caller: Caller, aside = this.aside): Promise<Served | undefined> {
    const { outcome, passenger } = await aside.load(caller);
    return this.serve(outcome, passenger);
  }
}
