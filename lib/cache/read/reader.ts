import { untilAborted } from '../../common/async.js';
import { CacheTimeoutError } from '../../common/errors.js';
import type { EntryKey } from '../../keys/key-space.js';
import type { CallModes } from '../call-mode.js';
import type { Opened } from '../entry.js';
import { Flights, nextMoment, type Flight, type FlightOutcome } from '../flights.js';
import type { LeaseWaits } from '../lease-waits.js';
import { refuseNestedLoad } from '../nested-loads.js';
import type { CacheParts } from '../parts.js';
import type { Stamp } from '../tier.js';
import type { Finder, Found } from './finder.js';
import type { Loads } from './load.js';
import type { LoadRequest } from './loader-run.js';

/** What came of a load for one caller. */
export interface Served {
  /**
   * 'copy': kept in this process; 'hit': read from Redis; 'loaded' and 'joined': by this caller's loader, or by another's.
   * 'private': what was loaded is for whoever loaded it, and this caller has to load for itself.
   */
  readonly source: 'copy' | 'hit' | 'loaded' | 'joined' | 'private';
  readonly value: Opened;
}

/** Looked at nothing. */
const BYPASSED: Found = { state: 'unreachable' };

const NOTHING: Opened = { take: () => undefined, freshMs: () => 0 };

/** Somebody who wants a value. */
interface Caller {
  readonly request: LoadRequest;
  /** The moment of the call. */
  readonly came: number;
  /** Monotonic ms. */
  readonly patientUntil: number;
}

interface Passenger extends Caller {
  readonly flight: Flight;
  readonly role: 'leader' | 'follower';
}

interface ReaderState {
  readonly flights: Flights;
  readonly waits: LeaseWaits;
  readonly finder: Finder;
  readonly loads: Loads;
  readonly modes: CallModes;
}

/**
 * Reads, and on a miss loads. The only place that goes round: whenever a wait or a flight ends without a value that the
 * caller may accept, it reads again by a command sent after that.
 */
export class Reader {
  /** Loads whose result is not stored: of those who would not wait longer, or may not store; at most one per key. */
  private readonly aside = new Flights();

  constructor(
    private readonly parts: CacheParts,
    private readonly state: ReaderState,
  ) {}

  /** Undefined: a miss. */
  async get(key: EntryKey, operation: string): Promise<Opened | undefined> {
    const { mode } = this.state.modes;
    if (mode === 'bypass' || mode === 'refresh') return undefined;
    const found = await this.state.finder.find({ key, kind: 'value', operation });
    return found.state === 'hit' ? found.value : undefined;
  }

  /** The value, loaded if need be: by this caller, or by whoever is at it already, in any process. */
  async getOrLoad(given: LoadRequest): Promise<Served> {
    const { modes } = this.state;
    const request =
      modes.mode === 'refresh' ? { ...given, settings: { ...given.settings, force: true } } : given;
    const { key, kind, settings } = request;
    const caller = {
      request,
      came: nextMoment(),
      patientUntil: this.parts.clock.monotonic() + settings.waitTimeoutMs,
    };
    const wanted = { key, kind, tags: settings.tags, operation: 'getOrSet' };
    for (;;) {
      settings.signal?.throwIfAborted();
      const found = modes.mode === 'bypass' ? BYPASSED : await this.state.finder.find(wanted);
      if (found.state === 'hit' && !settings.force) return found;
      refuseNestedLoad(key.redisKey, key.given);
      if (modes.storesNothing) {
        const served = await this.loadAside(caller);
        if (served) return served;
        continue;
      }
      const joined = this.state.flights.joinable(key.redisKey);
      const wait = found.state === 'lease' ? this.state.waits.current(key.redisKey) : undefined;
      const served = joined
        ? await this.join(joined, caller)
        : wait
          ? await this.waitFor(wait, caller)
          : await this.lead(found, caller);
      if (served) return served;
    }
  }

  private async lead(found: Found, caller: Caller): Promise<Served | undefined> {
    const { flights, loads } = this.state;
    const { request } = caller;
    const flight = flights.lead(request.key.redisKey, (own) => {
      if (found.state === 'unreachable') return loads.loadAside(own, request);
      if (found.state === 'hit') return loads.refresh(own, request, found.id);
      const reject = found.state === 'absent' ? found.reject : '';
      return loads.load(own, request, { reject, c0: found.c0 });
    });
    const outcome = await untilAborted(flight.outcome, request.settings.signal);
    return this.serve(outcome, { ...caller, flight, role: 'leader' });
  }

  private async join(flight: Flight, caller: Caller): Promise<Served | undefined> {
    const outcome = await this.patiently(flight.outcome, caller);
    return outcome
      ? this.serve(outcome, { ...caller, flight, role: 'follower' })
      : this.outOfPatience(caller);
  }

  /** What an outcome is for this caller; undefined: nothing that it may accept, so it reads again. */
  private async serve(outcome: FlightOutcome, passenger: Passenger): Promise<Served | undefined> {
    const { request, flight, came, role } = passenger;
    const { force } = request.settings;
    const source = role === 'leader' ? 'loaded' : 'joined';
    const cameBefore = flight.loadBegan !== undefined && came < flight.loadBegan;
    switch (outcome.kind) {
      case 'stored':
        if (cameBefore) return { source, value: outcome.value };
        // Who forces wants a load that began after he asked.
        return !force && (await this.isStillValid(request, outcome.stamp))
          ? { source, value: outcome.value }
          : undefined;
      case 'unstored':
        return cameBefore ? { source, value: outcome.value } : undefined;
      case 'found':
        return role === 'leader' && !force ? { source: 'hit', value: outcome.value } : undefined;
      case 'held':
        return this.waitFor(outcome.changed, passenger);
      default:
        return ownOnly(outcome, passenger);
    }
  }

  /** Without an answer it is not: the caller reads again, and finds out that Redis cannot be reached. */
  private async isStillValid({ key }: LoadRequest, stamp: Stamp): Promise<boolean> {
    try {
      return await this.state.finder.isStillValid(key, stamp);
    } catch {
      return false;
    }
  }

  private async waitFor(changed: Promise<void>, caller: Caller): Promise<Served | undefined> {
    const woken = await this.patiently(
      changed.then(() => true),
      caller,
    );
    return woken ? undefined : this.outOfPatience(caller);
  }

  /** The result, or undefined once the caller's `waitTimeout` has passed. */
  private async patiently<T>(promise: Promise<T>, caller: Caller): Promise<T | undefined> {
    const { clock } = this.parts;
    let timer;
    const late = new Promise<undefined>((resolve) => {
      const ms = Math.max(0, caller.patientUntil - clock.monotonic());
      timer = clock.setTimer(ms, () => resolve(undefined));
    });
    try {
      const { signal } = caller.request.settings;
      return await untilAborted(Promise.race([promise, late]), signal);
    } finally {
      clock.clearTimer(timer);
    }
  }

  private async outOfPatience(caller: Caller): Promise<Served | undefined> {
    const { key, settings } = caller.request;
    if (this.parts.settings.lease.onWaitTimeout === 'throw')
      throw new CacheTimeoutError(
        `Waited ${settings.waitTimeoutMs} ms (waitTimeout) for a load of this key that somebody else runs`,
        { key: key.given },
      );
    return this.loadAside(caller);
  }

  /** A load whose result is not stored, shared by those who came before it began. */
  private async loadAside(caller: Caller): Promise<Served | undefined> {
    const { key, settings } = caller.request;
    const joined = this.aside.joinable(key.redisKey);
    const flight =
      joined ??
      this.aside.lead(key.redisKey, (own) => this.state.loads.loadAside(own, caller.request));
    const outcome = await untilAborted(flight.outcome, settings.signal);
    return this.serve(outcome, { ...caller, flight, role: joined ? 'follower' : 'leader' });
  }
}

/** An error of a loader is everybody's; a response, and the error of a handler, are of the request that made them. */
function ownOnly(
  outcome: Extract<FlightOutcome, { kind: 'failed' | 'private' }>,
  { request, role }: Passenger,
): Served {
  if (outcome.kind === 'failed' && (role === 'leader' || request.kind === 'value'))
    throw outcome.error;
  return { source: role === 'leader' ? 'loaded' : 'private', value: NOTHING };
}
