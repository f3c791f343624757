import { Redis } from 'ioredis';
import { loadSettings } from '../../../lib/cache/entry.options.js';
import { assemble } from '../../../lib/module/assemble.js';
import { resolveOptions } from '../../../lib/module/resolve-options.js';
import type { Plan, Read, Report } from './plan.js';

/** CLOCK_MONOTONIC in ms: the same clock in all processes of a machine. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/**
 * A cache over the shared Redis, and the "database" of a test: a counter per row in the same Redis, which is linearizable,
 * as the guarantee asks of a source.
 */
export class TimedCache {
  readonly report: Report = { reads: [], readsAtRest: [], evicts: [], loads: 0, errors: [] };
  private readonly database: Redis;
  private readonly cache;

  private constructor(private readonly plan: Plan) {
    const { options, namespace, url } = plan;
    this.database = new Redis(url);
    this.cache = assemble(
      resolveOptions({ ...options, namespace, topology: { type: 'single', url } }, 'the worker'),
      { log: { warn: () => undefined } },
    );
  }

  static async connect(plan: Plan): Promise<TimedCache> {
    const timed = new TimedCache(plan);
    await timed.cache.connect();
    return timed;
  }

  get service() {
    return this.cache.service;
  }

  /** As `getOrSet` does it, and with what only the engine tells: where the value came from. */
  async read(key: string, loader: () => Promise<number>): Promise<Read> {
    const began = now();
    const { engine } = this.cache;
    const { source, value } = await engine.load({
      key: engine.keySpace().entry(key),
      kind: 'value',
      loader,
      settings: loadSettings('the worker', undefined, engine.options),
    });
    return { key, version: value.take() as number, source, began, ended: now() };
  }

  /** What the row has in the database. */
  async row(key: string): Promise<number> {
    return Number((await this.database.get(this.rowOf(key))) ?? 0);
  }

  /** What the row has from now on. */
  commit(key: string): Promise<number> {
    return this.database.incr(this.rowOf(key));
  }

  async close(): Promise<void> {
    await this.cache.close();
    this.database.disconnect();
  }

  private rowOf(key: string): string {
    return `row:${this.plan.namespace}:${key}`;
  }
}
