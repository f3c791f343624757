import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { AssembledCache } from '../../lib/module/assemble.js';
import type { Bench } from '../bench.js';
import { untilLive } from '../contenders/live.js';
import { Crew } from '../crew/crew.js';
import type { FleetSetup, FleetTask, Told } from '../crew/fleet.js';
import { callsBetween, statsOf, type ServerStats } from '../server-stats.js';

/** The processes that the caches are in. */
const HOSTS = 4;

/** What was done in some time, by the server and by the others. */
export interface Watched {
  readonly seconds: number;
  readonly before: ServerStats;
  readonly after: ServerStats;
  readonly calls: ReadonlyMap<string, number>;
  readonly serverUs: number;
  /** Of all others together. */
  readonly othersUs: number;
  /** Messages about entries, by the one that changes them. */
  readonly published: number;
  readonly received: number;
  readonly agesMs: readonly number[];
}

/** One process that changes entries, this one, and many others that listen, on a server that nobody else uses. */
export class Fleet {
  private constructor(
    readonly own: AssembledCache,
    readonly admin: Redis,
    private readonly crew: Crew<FleetTask, Told>,
  ) {}

  static async start(bench: Bench): Promise<Fleet> {
    const { url: redisUrl } = await bench.servers.start();
    const namespace = bench.ownName();
    const own = await bench.openCache({
      namespace,
      ttl: '1h',
      topology: { type: 'single', url: redisUrl },
    });
    await untilLive(own);
    const setup: FleetSetup = { redisUrl, namespace };
    const setups = Array.from({ length: HOSTS }, () => setup);
    return new Fleet(own, bench.openClient({}, redisUrl), await Crew.start('fleet.js', setups));
  }

  /** Resolves when there are so many others; a multiple of {@link HOSTS}. */
  async growTo(others: number): Promise<void> {
    await this.crew.ask({ what: 'open', upTo: others / HOSTS });
    // The first heartbeats follow each other faster.
    await sleep(2_000);
  }

  async watch(run: () => Promise<unknown>): Promise<Watched> {
    await this.crew.ask({ what: 'tell' });
    const publishedSoFar = (): number => this.own.service.stats().invalidations.published;
    const publishedBefore = publishedSoFar();
    const [begin, before] = [performance.now(), await statsOf([this.admin])];
    await run();
    const [after, seconds] = [await statsOf([this.admin]), (performance.now() - begin) / 1_000];
    const told = await this.crew.ask({ what: 'tell' });
    const sum = (key: 'cpuUs' | 'received'): number => told.reduce((all, one) => all + one[key], 0);
    return {
      seconds,
      before,
      after,
      calls: callsBetween(before, after),
      serverUs: after.cpuUs - before.cpuUs,
      othersUs: sum('cpuUs'),
      published: publishedSoFar() - publishedBefore,
      received: sum('received'),
      agesMs: told.flatMap(({ agesMs }) => agesMs),
    };
  }

  /** Each of the others has one caller that asks for the same missing key. */
  async load(key: string, loadMs: number): Promise<{ loads: number; slowestMs: number }> {
    const told = await this.crew.ask({ what: 'load', key, loadMs });
    return {
      loads: told.reduce((all, { loads }) => all + loads, 0),
      slowestMs: Math.max(...told.map(({ slowestMs }) => slowestMs)),
    };
  }

  end(): Promise<void> {
    return this.crew.end();
  }
}
