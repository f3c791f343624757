import pLimit from 'p-limit';
import { CacheTimeoutError } from '../../common/errors.js';
import type { TimerHandle } from '../../common/clock.js';
import type { Duration } from '../../common/duration.js';
import { refreshKeyOf, type EntryKey } from '../../keys/key-space.js';
import { lifeMs, type LoadSettings } from '../entry.options.js';
import { look, type EntryKind } from '../entry.js';
import { nextMoment, type Flight, type Flights, type FlightOutcome } from '../flights.js';
import type { LeaseWaits } from '../lease-waits.js';
import { runAsLoadOf } from '../nested-loads.js';
import type { Note } from '../../l1/epochs.js';
import type { CacheParts } from '../parts.js';
import { keep, type Tier } from '../tier.js';
import { LeaseKeeper } from './lease-keeper.js';
import type { Encoded, EntryFormats, Loaded } from './entry-formats.js';

/** What a loader is given. */
export interface LoadContext {
  /** The key as the caller gave it. */
  readonly key: unknown;
  /** Fires when the load has taken longer than `loaderTimeout`; its result is not waited for any more. */
  readonly signal: AbortSignal;
  /** How long this value is kept, instead of the `ttl` of the call. */
  setTtl(ttl: Duration): void;
  /** The value is returned to the callers and not stored. */
  skip(): void;
}

export type Loader = (context: LoadContext) => unknown;

export interface LoadRequest {
  readonly key: EntryKey;
  readonly kind: EntryKind;
  readonly loader: Loader;
  readonly settings: LoadSettings;
}

interface LoadState {
  readonly flights: Flights;
  readonly waits: LeaseWaits;
  readonly formats: EntryFormats;
  readonly tier: Tier | undefined;
}

/** Where the lease of a load lies, and what must be at the entry for its result to be stored. */
interface Lease {
  readonly key: string;
  readonly token: string;
  readonly expectId: string;
  /** Of the entry, taken before ACQUIRE was sent. */
  readonly note: Note | undefined;
}

/** One load, from ACQUIRE to FILL. It never reads again by itself: the reader does, when the outcome says so. */
export class Loads {
  private readonly limit: ReturnType<typeof pLimit> | undefined;

  constructor(
    private readonly parts: CacheParts,
    private readonly state: LoadState,
  ) {
    const { loaderConcurrency } = parts.settings;
    if (loaderConcurrency !== Infinity) this.limit = pLimit(loaderConcurrency);
  }

  /** A miss: the lease is taken at the entry itself, in place of `reject`, a value that cannot be used. */
  async load(flight: Flight, request: LoadRequest, reject: string): Promise<FlightOutcome> {
    const token = this.parts.ids.next();
    return this.underLease(flight, request, {
      reject,
      lease: { key: request.key.redisKey, token, expectId: token, note: this.note(request) },
    });
  }

  /** A value that stays where it is until the new one is there: the lease is taken at the key's refresh lease. */
  async refresh(flight: Flight, request: LoadRequest, seenId: string): Promise<FlightOutcome> {
    const token = this.parts.ids.next();
    const note = this.note(request);
    const lease = { key: refreshKeyOf(request.key), token, expectId: seenId, note };
    const outcome = await this.underLease(flight, request, { reject: '', lease });
    // Filling the entry ends a lease that lies there, and not this one.
    if (outcome.kind === 'stored') await this.release(lease, 0);
    return outcome;
  }

  /** Redis cannot be reached, or must not be asked for this key: one load for this process, nothing stored. */
  async loadDegraded(flight: Flight, request: LoadRequest): Promise<FlightOutcome> {
    const loaded = await this.callLoader(flight, request);
    return this.unstored('degraded', request, loaded, this.encode(request, loaded));
  }

  /** Waited too long for somebody else's load: one more, which is given to those who wait and not stored. */
  async loadAside(flight: Flight, request: LoadRequest): Promise<FlightOutcome> {
    const loaded = await this.callLoader(flight, request);
    return this.unstored('unstored', request, loaded, this.encode(request, loaded));
  }

  private async underLease(
    flight: Flight,
    request: LoadRequest,
    { lease, reject }: { lease: Lease; reject: string },
  ): Promise<FlightOutcome> {
    const { store, wakeups, settings } = this.parts;
    const expectation = wakeups.expect(lease.key);
    let reply;
    try {
      reply = await store.acquire(lease.key, {
        token: lease.token,
        leaseMs: settings.lease.ttlMs,
        reject,
      });
    } catch (error) {
      expectation.cancel();
      return this.withoutRedis(flight, request, { error, lease });
    }
    if (reply.state === 'held') {
      this.state.flights.seal(flight);
      return { kind: 'held', changed: this.state.waits.start(lease.key, reply.ttlMs, expectation) };
    }
    expectation.cancel();
    if (reply.state === 'granted') return this.loadAndFill(flight, request, lease);
    this.state.flights.seal(flight);
    if (reply.state === 'barrier') return this.loadAside(flight, request);
    const seen = look(reply.bytes, request.key, request.kind);
    const value = seen.state === 'usable' ? this.state.formats.open(seen.record) : undefined;
    return value ? { kind: 'found', value } : { kind: 'held', changed: Promise.resolve() };
  }

  private async loadAndFill(
    flight: Flight,
    request: LoadRequest,
    lease: Lease,
  ): Promise<FlightOutcome> {
    const { flights } = this.state;
    const keeper = new LeaseKeeper(this.parts, lease, () => flights.doom(flight));
    try {
      const loaded = await this.callLoader(flight, request);
      const encoded = this.encode(request, loaded);
      if (encoded && !flight.doomed) {
        flights.seal(flight);
        if (await this.fill(request, lease, encoded))
          return { kind: 'stored', value: encoded.value };
      }
      await this.release(lease, 0);
      return this.unstored('unstored', request, loaded, encoded);
    } catch (error) {
      await this.release(lease, this.parts.settings.errorBackoffMs);
      return { kind: 'failed', error };
    } finally {
      keeper.stop();
    }
  }

  private async fill(request: LoadRequest, lease: Lease, encoded: Encoded): Promise<boolean> {
    const { key, kind } = request;
    const { body, value } = encoded;
    const { expectId, note } = lease;
    const id = expectId === lease.token ? lease.token : this.parts.ids.next();
    try {
      const filled = await this.parts.store.fill(key.redisKey, { expectId, newId: id, ...body });
      if (filled) keep(this.state.tier, key, { note, kind, id, value, bytes: body.body.length });
      return filled;
    } catch (error) {
      this.parts.reporter.report('getOrSet', 'the loaded value, perhaps not stored', error);
      return false;
    }
  }

  private note({ key }: LoadRequest): Note | undefined {
    return this.state.tier?.note(key.redisKey);
  }

  private encode(request: LoadRequest, loaded: Loaded): Encoded | undefined {
    return loaded.store ? this.state.formats.encode(request, loaded) : undefined;
  }

  private unstored(
    kind: 'unstored' | 'degraded',
    request: LoadRequest,
    loaded: Loaded,
    encoded: Encoded | undefined,
  ): FlightOutcome {
    if (request.kind === 'http' && loaded.value === undefined) return { kind: 'private' };
    const asLoaded = { take: () => loaded.value, freshMs: () => 0 };
    return { kind, value: encoded ? { ...encoded.value, freshMs: () => 0 } : asLoaded };
  }

  private async withoutRedis(
    flight: Flight,
    request: LoadRequest,
    { error, lease }: { error: unknown; lease: Lease },
  ): Promise<FlightOutcome> {
    if (this.parts.settings.failure === 'strict') return { kind: 'failed', error };
    this.parts.reporter.report('getOrSet', 'the loaded value', error);
    try {
      return await this.loadDegraded(flight, request);
    } finally {
      // ACQUIRE may have been executed although its reply never came; others must not wait for that lease.
      void this.release(lease, 0);
    }
  }

  private async callLoader(flight: Flight, request: LoadRequest): Promise<Loaded> {
    return this.limit
      ? this.limit(() => this.callLoaderNow(flight, request))
      : this.callLoaderNow(flight, request);
  }

  private async callLoaderNow(flight: Flight, request: LoadRequest): Promise<Loaded> {
    const { clock, settings } = this.parts;
    const { key, settings: own } = request;
    const abort = new AbortController();
    let ttlMs: number | undefined;
    let skipped = false;
    const context: LoadContext = {
      key: key.given,
      signal: abort.signal,
      setTtl: (ttl) => void (ttlMs = lifeMs(ttl, 'setTtl')),
      skip: () => void (skipped = true),
    };
    let timer: TimerHandle;
    const timeout = new Promise<never>((_, reject) => {
      timer = clock.setTimer(settings.loaderTimeoutMs, () => {
        const error = new CacheTimeoutError(
          `The loader has not ended within loaderTimeout (${settings.loaderTimeoutMs} ms)`,
          { key: key.given },
        );
        reject(error);
        abort.abort(error);
      });
    });
    flight.loadBegan = nextMoment();
    try {
      const value = await Promise.race([
        runAsLoadOf(key.redisKey, () => request.loader(context)),
        timeout,
      ]);
      const store = !skipped && value !== undefined && (value !== null || own.cacheNull);
      return { value, store, ttlMs: ttlMs ?? (value === null ? own.negativeTtlMs : own.ttlMs) };
    } finally {
      clock.clearTimer(timer);
    }
  }

  private async release(lease: Lease, holdMs: number): Promise<void> {
    try {
      await this.parts.store.release(lease.key, { token: lease.token, holdMs });
    } catch {
      // The lease expires by itself.
    }
  }
}
