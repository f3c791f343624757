import { LRUCache } from 'lru-cache';
import { refreshKeyOf } from '../../keys/key-space.js';
import type { CallModes } from '../call-mode.js';
import type { Opened } from '../entry.js';
import type { Flight, FlightOutcome, Flights } from '../flights.js';
import type { LeaseWaits } from '../lease-waits.js';
import { outsideLoads } from '../nested-loads.js';
import type { CacheParts } from '../parts.js';
import { isDue, type RefreshAhead } from '../staleness.js';
import type { Loads } from './load.js';
import { label, type LoadRequest } from './loader-run.js';

/** How long a key is left alone after its refresh has failed, unless `errorBackoff` says so. */
const BACKOFF_MS = 1_000;
/** Background refreshes at a time in this process; more than that are dropped, and a later read tries again. */
const MOST_RUNNING = 64;
/** Values whose hits are counted, where they are: those that were read last. */
const MOST_COUNTED = 10_000;

/** The value that a refresh is to replace, and only this one: what has come in its place is newer. */
interface Seen {
  readonly id: string;
  readonly value: Opened;
}

interface RefresherState {
  readonly flights: Flights;
  readonly waits: LeaseWaits;
  readonly loads: Loads;
  readonly modes: CallModes;
}

/**
 * Loads values anew that are still there. In the background at most one per key, in this process by its flights, in the cluster
 * by the refresh lease; it outlives the call that began it, and its failure is reported and keeps others from trying at once.
 */
export class Refresher {
  /** What is running, and for how many keys: the keys of one batch are one refresh. */
  private readonly running = new Map<unknown, number>();
  private closed = false;
  /** Made by the first that is counted: most applications count none, and it has room for all of them at once. */
  private hits: LRUCache<string, { id: string; count: number }> | undefined;

  constructor(
    private readonly parts: CacheParts,
    private readonly state: RefresherState,
  ) {}

  /** A value that is still fresh has been read. */
  read(request: LoadRequest, seen: Seen): void {
    const { refreshAhead, ttlMs } = request.settings;
    if (!refreshAhead) return;
    const { lifeMs = ttlMs, costMs } = seen.value;
    const life = { lifeMs, freshMs: seen.value.freshMs(), costMs };
    if (this.isHitOften(request, seen, refreshAhead) || isDue(life, refreshAhead))
      this.start(request, seen);
  }

  /** In the background, unless somebody is at it already or has just failed. Loader, options and the like are this caller's. */
  start(request: LoadRequest, seen: Seen): void {
    const { flights, waits, modes } = this.state;
    const { meter } = this.parts;
    const { redisKey } = request.key;
    if (this.closed || modes.storesNothing) return;
    if (flights.joinable(redisKey) || waits.current(refreshKeyOf(request.key)))
      return meter.count('refreshesSkipped');
    const load = typeof request.loader === 'function' ? redisKey : request.loader;
    if (!this.running.has(load) && this.running.size >= MOST_RUNNING)
      return meter.count('refreshesDropped');
    meter.count('refreshesTriggered');
    this.count(load, 1);
    const flight = this.outside(() =>
      flights.lead(redisKey, (own) => this.refresh(own, request, { ...seen, by: 'background' })),
    );
    void flight.outcome.then(() => this.count(load, -1));
  }

  private count(load: unknown, by: 1 | -1): void {
    const keys = (this.running.get(load) ?? 0) + by;
    if (keys > 0) this.running.set(load, keys);
    else this.running.delete(load);
  }

  /** Also for callers who wait for it. Where there is a value to stand in, a failure is reported instead of theirs. */
  async refresh(
    flight: Flight,
    request: LoadRequest,
    { by = 'caller', ...seen }: Seen & { by?: 'caller' | 'background' },
  ): Promise<FlightOutcome> {
    const { settings, reporter, meter } = this.parts;
    const { force, graceMs } = request.settings;
    label(flight, request);
    const standsIn = by === 'background' || (!force && graceMs > 0);
    const backoffMs = settings.errorBackoffMs || (standsIn ? BACKOFF_MS : 0);
    const outcome = await this.state.loads
      .refresh(flight, request, { ...seen, backoffMs })
      .catch((error: unknown): FlightOutcome => ({ kind: 'failed', error }));
    if (outcome.kind !== 'failed' || !standsIn) return outcome;
    if (by === 'background') meter.count('refreshesFailed');
    reporter.report('refresh', 'the value that was there', outcome.error);
    return outcome;
  }

  /** Begins no more of them; those that run are flights like any other. */
  close(): void {
    this.closed = true;
  }

  private isHitOften({ key }: LoadRequest, { id }: Seen, { hits }: RefreshAhead): boolean {
    if (hits === undefined) return false;
    this.hits ??= new LRUCache({ max: MOST_COUNTED });
    let counted = this.hits.get(key.redisKey);
    if (counted?.id !== id) this.hits.set(key.redisKey, (counted = { id, count: 0 }));
    counted.count++;
    if (counted.count < hits) return false;
    counted.count = 0;
    return true;
  }

  /**
   * Apart from what the cache itself knows of the caller: its mode, its memo, the loads that it is part of. What the application
   * keeps in contexts of its own stays, because loaders may need it: a tenant, a trace.
   */
  private outside<T>(fn: () => T): T {
    const { modes } = this.state;
    return modes.outside(() => this.parts.memos.outside(() => outsideLoads(fn)));
  }
}
