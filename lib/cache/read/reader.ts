import { untilAborted } from '../../common/async.js';
import { CacheTimeoutError } from '../../common/errors.js';
import type { EntryKey } from '../../keys/key-space.js';
import { look, type EntryKind, type Opened, type Seen } from '../entry.js';
import type { EvictJournal } from '../evict-journal.js';
import { Flights, nextMoment, type Flight, type FlightOutcome } from '../flights.js';
import type { LeaseWaits } from '../lease-waits.js';
import { refuseNestedLoad } from '../nested-loads.js';
import type { CacheParts } from '../parts.js';
import { keep, type Copy, type Tier } from '../tier.js';
import type { EntryFormats } from './entry-formats.js';
import type { LoadRequest, Loads } from './load.js';

/** What came of a load for one caller. */
export interface Served {
  /**
   * 'copy': kept in this process; 'hit': read from Redis; 'loaded' and 'joined': by this caller's loader, or by another's.
   * 'private': what was loaded is for whoever loaded it, and this caller has to load for itself.
   */
  readonly source: 'copy' | 'hit' | 'loaded' | 'joined' | 'private';
  readonly value: Opened;
}

const NOTHING: Opened = { take: () => undefined, freshMs: () => 0 };

/** A hit, what there is instead, or that Redis cannot or must not be asked. */
type Found =
  | { state: 'hit'; source: 'copy' | 'hit'; id: string; value: Opened }
  | Exclude<Seen, { state: 'usable' }>
  | { state: 'unreachable' };

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

const UNREACHABLE: Found = { state: 'unreachable' };

interface ReaderState {
  readonly flights: Flights;
  readonly waits: LeaseWaits;
  readonly journal: EvictJournal;
  readonly tier: Tier | undefined;
  readonly formats: EntryFormats;
  readonly loads: Loads;
}

/**
 * Reads, and on a miss loads. The only place that goes round: whenever a wait or a flight ends without a value that the
 * caller may accept, it reads again by a command sent after that.
 */
export class Reader {
  /** Loads of those who would not wait longer for somebody else's; at most one per key. */
  private readonly aside = new Flights();

  constructor(
    private readonly parts: CacheParts,
    private readonly state: ReaderState,
  ) {}

  /** Undefined: a miss. */
  async get(key: EntryKey, operation: string): Promise<Opened | undefined> {
    const found = await this.find(key, 'value', operation);
    return found.state === 'hit' ? found.value : undefined;
  }

  /** The value, loaded if need be: by this caller, or by whoever is at it already, in any process. */
  async getOrLoad(request: LoadRequest): Promise<Served> {
    const { key, kind, settings } = request;
    const caller = {
      request,
      came: nextMoment(),
      patientUntil: this.parts.clock.monotonic() + settings.waitTimeoutMs,
    };
    for (;;) {
      settings.signal?.throwIfAborted();
      const found = await this.find(key, kind, 'getOrSet');
      if (found.state === 'hit' && !settings.force) return found;
      refuseNestedLoad(key.redisKey, key.given);
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

  /** The copy in this process, if there is one that may be used. */
  peek(key: EntryKey, kind: EntryKind): Copy | undefined {
    const copy = this.state.tier?.get(key.redisKey);
    return copy?.kind === kind && !this.state.journal.blocks(key.redisKey) ? copy : undefined;
  }

  private async find(key: EntryKey, kind: EntryKind, operation: string): Promise<Found> {
    const { parts, state } = this;
    const { redisKey } = key;
    if (state.journal.blocks(redisKey)) return UNREACHABLE;
    const copy = this.peek(key, kind);
    if (copy) return { state: 'hit', source: 'copy', ...copy };
    const note = state.tier?.note(redisKey);
    let bytes;
    try {
      bytes = await parts.store.read(redisKey);
    } catch (error) {
      if (parts.settings.failure === 'strict') throw error;
      parts.reporter.report(operation, undefined, error);
      return UNREACHABLE;
    }
    // The evict of this key may have failed while the read was under way.
    if (state.journal.blocks(redisKey)) return UNREACHABLE;
    const seen = look(bytes, key, kind);
    if (seen.state !== 'usable') return seen;
    const { id } = seen.record;
    const value = state.formats.open(seen.record);
    if (!value) return { state: 'absent', reject: id };
    keep(state.tier, key, { note, kind, id, value, bytes: bytes!.length });
    return { state: 'hit', source: 'hit', id, value };
  }

  private async lead(found: Found, caller: Caller): Promise<Served | undefined> {
    const { flights, loads } = this.state;
    const { request } = caller;
    const flight = flights.lead(request.key.redisKey, (own) => {
      if (found.state === 'unreachable') return loads.loadDegraded(own, request);
      if (found.state === 'hit') return loads.refresh(own, request, found.id);
      return loads.load(own, request, found.state === 'absent' ? found.reject : '');
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
        // Who forces wants a load that began after he asked.
        return cameBefore || !force ? { source, value: outcome.value } : undefined;
      case 'degraded':
        return { source, value: outcome.value };
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
