import type { Clock } from '../../common/clock.js';
import { CacheTimeoutError } from '../../common/errors.js';
import { refreshKeyOf, type EntryKey } from '../../keys/key-space.js';
import { fitted, type Opened } from '../entry.js';
import type { LoadSettings } from '../entry.options.js';
import { nextMoment, type Flight, type FlightOutcome } from '../flights.js';
import type { LeaseWait, LeaseWaits } from '../lease-waits.js';
import type { Found, InGrace } from './found.js';
import type { Limits } from './patience.js';
import type { Wanted } from './looks.js';
import { loadsOf, type LoadRequest } from './loader-run.js';

/** What came of a load for one caller. */
export interface Served {
  /**
   * 'copy': kept in this process; 'hit': read from Redis; 'loaded' and 'joined': by this caller's loader, or by another's.
   * 'stale': past its ttl and in grace. 'private': what was loaded is for whoever loaded it, and this caller has to load for
   * itself.
   */
  readonly source: 'copy' | 'hit' | 'stale' | 'loaded' | 'joined' | 'private';
  readonly value: Opened;
}

const NOTHING: Opened = { take: () => undefined, freshMs: () => 0 };

/** Somebody who wants a value. */
export interface Caller {
  readonly request: LoadRequest;
  /** The moment of the call. */
  readonly came: number;
  /** For loads of others; monotonic ms. */
  readonly patientUntil: number;
  /** There is a value in grace: it takes that rather than an error, or than to wait for longer than until then. */
  readonly contentFrom?: number | undefined;
  /** Counts what its look has found, unless it has been counted. */
  readonly count: (found: Found) => void;
}

export interface Passenger extends Caller {
  readonly flight: Flight;
  readonly role: 'leader' | 'follower';
}

/** Who has come just now. */
export const arriving = (request: LoadRequest, now: number, count: Caller['count']): Caller => ({
  request,
  came: nextMoment(),
  patientUntil: now + request.settings.waitTimeoutMs,
  contentFrom: undefined,
  count,
});

/** Field by field: to spread a caller takes longer than all that is done for it here. */
export const aboard = (
  { request, came, patientUntil, contentFrom, count }: Caller,
  flight: Flight,
  role: Passenger['role'],
): Passenger => ({ request, came, patientUntil, contentFrom, count, flight, role });

/** As long as it waits for somebody else. */
export const limitsOf = (
  { request, patientUntil, contentFrom = Infinity }: Caller,
  clock: Clock,
): Limits => ({
  clock,
  until: Math.min(patientUntil, contentFrom),
  signal: request.settings.signal,
});

/** The loader began after this caller had come, so what it gives is new enough. */
export const cameBefore = ({ flight, came }: Passenger): boolean =>
  flight.loadBegan !== undefined && came < flight.loadBegan;

export const sourceFor = ({ role }: Passenger): 'loaded' | 'joined' =>
  role === 'leader' ? 'loaded' : 'joined';

export const wantedBy = ({ key, kind, settings }: LoadRequest): Wanted => ({
  key,
  kind,
  tags: settings.tags,
  operation: 'getOrSet',
  reads: settings,
});

export const forced = (request: LoadRequest): LoadRequest => ({
  ...request,
  settings: { ...request.settings, force: true },
});

/** Whether this caller takes it where it cannot have a fresh one. */
export function isSpare(found: Found, { force, graceMs }: LoadSettings): found is InGrace {
  return !force && found.state === 'stale' && found.staleMs < graceMs;
}

/** Of the lease that keeps this process waiting for such a key, as far as it knows of one. */
export function leaseOf({ state }: Found, key: EntryKey, waits: LeaseWaits): LeaseWait | undefined {
  if (state === 'lease') return waits.current(key.redisKey);
  return state === 'stale' ? waits.current(refreshKeyOf(key)) : undefined;
}

/**
 * What has been loaded, as the caller's schema has it; where that is not to be had of what others have loaded, undefined: it
 * loads for itself. Where its own does not match it is given the spare, or rejects with `CacheSerializationError`; no value at all
 * is not looked at.
 */
export async function fittingServed(
  offered: Served | undefined | Promise<Served | undefined>,
  { schema }: LoadSettings,
  spare: () => Promise<Served | undefined>,
): Promise<Served | undefined> {
  const served = await offered;
  if (!schema || !served || served.value.take() === undefined) return served;
  try {
    return { ...served, value: await fitted(served.value, schema) };
  } catch (error) {
    if (served.source !== 'loaded') return undefined;
    const instead = await spare();
    if (instead) return instead;
    throw error;
  }
}

/**
 * What a loader of several keys has left out, or why it failed, is no answer for somebody who has a loader of this key alone,
 * nor the other way round.
 */
export function isOthers(
  outcome: Extract<FlightOutcome, { kind: 'failed' | 'unstored' }>,
  { request, flight }: Passenger,
): boolean {
  if (flight.loads === loadsOf(request)) return false;
  return outcome.kind === 'failed' || outcome.value.take() === undefined;
}

/** Neither its value nor its error is for this caller. */
export function isOfOtherVersion({ request: { settings }, flight }: Passenger): boolean {
  return settings.version !== undefined && String(flight.version) !== String(settings.version);
}

/** An error of a loader is everybody's; a response, and the error of a handler, are of the request that made them. */
export function ownOnly(
  outcome: Extract<FlightOutcome, { kind: 'failed' | 'private' }>,
  passenger: Passenger,
): Served | undefined {
  const { request, role } = passenger;
  if (outcome.kind === 'failed' && isOthers(outcome, passenger)) return undefined;
  if (outcome.kind === 'failed' && (role === 'leader' || request.kind === 'value'))
    throw outcome.error;
  return { source: role === 'leader' ? 'loaded' : 'private', value: NOTHING };
}

/** Of a caller that has no value in grace, and loads nothing itself. */
export function waitedInVain(
  { request: { key, settings } }: Caller,
  what: 'a load' | 'the errorBackoff',
): CacheTimeoutError {
  const why = {
    'a load': 'a load of this key that somebody else runs',
    'the errorBackoff':
      'a load of this key has failed, and nobody loads it again before errorBackoff is over',
  }[what];
  return new CacheTimeoutError(`Waited ${settings.waitTimeoutMs} ms (waitTimeout): ${why}`, {
    key: key.given,
  });
}
