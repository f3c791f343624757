import { readOne } from '../redis/cluster-reads.js';
import { runScript } from '../redis/script-runner.js';
import { sendOnce } from '../redis/send-once.js';
import type { RedisClient, Topology } from '../redis/topology.js';
import type { CallGuard, CallKind } from '../resilience/call-guard.js';
import { rawIncrement } from './lua/raw-increment.lua.js';
import type { RawSetRequest, RawStore, RawSum } from './raw-store.js';

const CONDITIONS = { absent: ['NX'], present: ['XX'] } as const;

/** One command each, at the server that has the key. */
export class RedisRawStore implements RawStore {
  constructor(
    private readonly topology: Topology,
    private readonly options: { guard: CallGuard },
  ) {}

  get(key: string): Promise<Buffer | null> {
    return this.run('read', 'rawGet', key, (client) => readOne(client, key));
  }

  async set(key: string, value: Buffer, { ttlMs, only }: RawSetRequest): Promise<boolean> {
    const life = ttlMs > 0 ? ['PX', String(Math.ceil(ttlMs))] : [];
    const args = [key, value, ...life, ...(only ? CONDITIONS[only] : [])];
    const send = (client: RedisClient): Promise<unknown> => sendOnce(client, 'set', args);
    return (await this.run('write', 'rawSet', key, send)) !== null;
  }

  async evict(key: string): Promise<boolean> {
    return (await this.run('write', 'rawEvict', key, (client) => client.unlink(key))) > 0;
  }

  async ttl(key: string): Promise<number | undefined> {
    const left = Number(await this.run('read', 'rawTtl', key, (client) => client.pttl(key)));
    if (left === -2) return undefined;
    return left === -1 ? Infinity : left;
  }

  async increment(key: string, { by, ttlMs }: { by: number; ttlMs: number }): Promise<RawSum> {
    const values = { by, ttlMs: Math.ceil(ttlMs) };
    const { reply, details } = await this.run('write', 'rawIncrement', key, (client) =>
      runScript(client, rawIncrement, key, values),
    );
    return reply === 'counted' ? { state: reply, count: Number(details[0]) } : { state: reply };
  }

  private run<T>(
    kind: CallKind,
    operation: string,
    key: string,
    send: (client: RedisClient) => Promise<T>,
  ): Promise<T> {
    const { client, name } = this.topology.shardOf(key);
    return this.options.guard.run(kind, operation, () => send(client), name);
  }
}
