import { types } from 'node:util';
import { handled } from '../../common/async.js';
import { isValid } from '../../tags/tag-table.js';
import { isReadable, look, unstored } from '../entry.js';
import { goOnWithout } from '../failure.js';
import { READ_AGAIN, Stored, type Flight, type Flights, type FlightOutcome } from '../flights.js';
import type { LeaseWaits } from '../lease-waits.js';
import type { CacheParts } from '../parts.js';
import { keep } from '../tier.js';
import type { Encoded, EntryFormats } from './entry-formats.js';
import { KeptLease, LeaseKeeper, type Lease } from './lease-keeper.js';
import { isStillThere, takeAway } from './superseded.js';
import { LoaderRun, type Loaded, type LoadRequest } from './loader-run.js';

export interface LoadState {
  readonly flights: Flights;
  readonly waits: LeaseWaits;
  readonly formats: EntryFormats;
}

/** One load, from ACQUIRE to FILL. It never reads again by itself: the reader does, when the outcome says so. */
export class LeasedLoads {
  readonly keeper: LeaseKeeper;
  private readonly loader: LoaderRun;

  constructor(
    private readonly parts: CacheParts,
    private readonly state: LoadState,
  ) {
    this.loader = new LoaderRun(parts);
    this.keeper = new LeaseKeeper(parts, (flight) => state.flights.doom(flight));
  }

  /** Nothing of it is stored. */
  async withoutLease(flight: Flight, request: LoadRequest): Promise<FlightOutcome> {
    const loaded = await this.loader.load(flight, request);
    return this.unstored(request, loaded, await this.encode(request, loaded, { flight }));
  }

  async run(flight: Flight, request: LoadRequest, lease: Lease): Promise<FlightOutcome> {
    const { store, tags, wakeups, settings } = this.parts;
    const expectation = wakeups.expect(lease.key);
    const { token, reject } = lease;
    let reply;
    let { c0 } = lease;
    try {
      // Before the load, so that an evict of a tag while it runs is not lost.
      const clock = c0 ?? handled(tags.clock(request.key.redisKey));
      reply = await store.acquire(lease.key, { token, leaseMs: settings.lease.ttlMs, reject });
      c0 = await clock;
    } catch (error) {
      expectation.cancel();
      return this.withoutRedis(flight, request, lease, error);
    }
    if (reply.state !== 'value') lease.onMissing?.();
    if (reply.state === 'held') {
      this.state.flights.seal(flight);
      const { ended, backoff } = this.state.waits.start(lease.key, reply, expectation);
      return { kind: 'held', changed: ended, backoff };
    }
    expectation.cancel();
    if (reply.state === 'granted') {
      if (lease.key !== request.key.redisKey && (await this.isInVain(request, lease)))
        return READ_AGAIN;
      return await this.loadAndFill(flight, request, lease, c0);
    }
    this.state.flights.seal(flight);
    if (reply.state === 'barrier') return this.withoutLease(flight, request);
    return this.found(request, reply.bytes);
  }

  /** Of a refresh: its lease may have been free because somebody else has just done what this one is about to do. */
  private async isInVain({ key, settings }: LoadRequest, lease: Lease): Promise<boolean> {
    if (settings.force || (await isStillThere(this.parts, key, lease.expectId))) return false;
    await this.release(lease, 0);
    return true;
  }

  /** Somebody else was faster: their value, if it can be used and no tag of it has been evicted. */
  private async found(request: LoadRequest, bytes: Buffer): Promise<FlightOutcome> {
    const { key, kind, settings } = request;
    const seen = look(bytes, { key, kind }, this.parts.layout);
    if (seen.state !== 'usable' || this.state.formats.staleMs(seen.record, key) !== undefined)
      return READ_AGAIN;
    const { c0, tags } = seen.record.header;
    // Without an answer the reader looks again, and finds out that Redis cannot be reached.
    const table = this.parts.tags;
    const versions = await table.versions(key.redisKey, tags ?? []).catch(() => undefined);
    const value =
      isValid(c0, tags, versions) &&
      (await this.state.formats.open(seen.record, { key, serializer: settings.serializer }));
    return value && isReadable(value, settings) ? { kind: 'found', value } : READ_AGAIN;
  }

  private async loadAndFill(
    flight: Flight,
    request: LoadRequest,
    lease: Lease,
    c0: number,
  ): Promise<FlightOutcome> {
    const { flights } = this.state;
    const { meter, reporter } = this.parts;
    const kept = new KeptLease(lease.key, lease.token, flight);
    this.keeper.keep(kept);
    // Nothing will be stored, so nobody is to wait for it: a load of this process might, which has the place that this one waits for.
    flight.onDoom = () => void this.keeper.giveBack(kept);
    // It may have been under way to Redis when all leases were given back.
    if (flight.doomed || this.keeper.hasGivenUp) flight.onDoom();
    try {
      const loaded = await this.loader.load(flight, request);
      const encoding = this.encode(request, loaded, { flight, c0 });
      const encoded = types.isPromise(encoding) ? await encoding : encoding;
      if (encoded && !flight.doomed) {
        flights.seal(flight);
        try {
          if (await this.fill(request, lease, encoded)) {
            this.keepCopy(request, lease, encoded);
            return new Stored(encoded.value, encoded.stamp);
          }
          meter.count('lostLeases');
        } catch (error) {
          reporter.report('getOrSet', 'the loaded value, perhaps not stored', error);
        }
      } else if (encoded) meter.count('lostLeases');
      if (loaded.gone && lease.expectId !== lease.token)
        await takeAway(this.parts, request.key, lease.expectId);
      await this.release(lease, 0);
      return this.unstored(request, loaded, encoded);
    } catch (error) {
      await this.release(lease, lease.backoffMs);
      return { kind: 'failed', error };
    } finally {
      this.keeper.stop(kept);
    }
  }

  private fill(
    { key }: LoadRequest,
    { expectId, newId }: Lease,
    { body }: Encoded,
  ): Promise<boolean> {
    return this.parts.store.fill(key.redisKey, { expectId, newId, ...body });
  }

  private keepCopy(
    { key, kind }: LoadRequest,
    { newId: id, note }: Lease,
    { body, value, stamp }: Encoded,
  ): void {
    keep(this.parts, key, { kind, id, value, stamp, note, bytes: body.body.length });
  }

  /** Field by field: to spread what has come of a load takes as long as to encode it. */
  private encode(
    request: LoadRequest,
    { store, value, ttlMs, tags, sliding }: Loaded,
    { flight, c0 = 0 }: { flight: Flight; c0?: number | undefined },
  ): Encoded | undefined | Promise<Encoded | undefined> {
    if (!store) return undefined;
    const { graceMs, refreshAhead, version, serializer, schema } = request.settings;
    return this.state.formats.encode(request, {
      value,
      ttlMs,
      tags,
      sliding,
      c0,
      graceMs,
      refreshAhead,
      costMs: flight.costMs,
      version,
      serializer,
      schema,
    });
  }

  private unstored(
    request: LoadRequest,
    loaded: Loaded,
    encoded: Encoded | undefined,
  ): FlightOutcome {
    if (request.kind === 'http' && loaded.value === undefined) return { kind: 'private' };
    const asLoaded = { take: () => loaded.value, freshMs: () => 0 };
    return { kind: 'unstored', value: encoded ? unstored(encoded.value) : asLoaded };
  }

  private async withoutRedis(
    flight: Flight,
    request: LoadRequest,
    lease: Lease,
    error: unknown,
  ): Promise<FlightOutcome> {
    try {
      goOnWithout(this.parts, { operation: 'getOrSet', returning: 'the loaded value' }, error);
      this.parts.meter.count('degraded');
      return await this.withoutLease(flight, request);
    } finally {
      // ACQUIRE may have been executed although its reply never came; others must not wait for that lease.
      void this.release(lease, 0);
    }
  }

  async release(lease: Lease, holdMs: number): Promise<void> {
    try {
      await this.parts.store.release(lease.key, { token: lease.token, holdMs });
    } catch {
      // The lease expires by itself.
    }
  }
}
