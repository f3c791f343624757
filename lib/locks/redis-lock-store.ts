import { runScript, type ScriptAnswer } from '../redis/script-runner.js';
import type { Script, ScriptValue } from '../redis/script.js';
import type { Topology } from '../redis/topology.js';
import type { CallGuard, CallKind } from '../resilience/call-guard.js';
import {
  CLAIM_MS,
  type AcquireLockReply,
  type AcquireLockRequest,
  type LockStore,
} from './lock-store.js';
import { lockAcquire } from './lua/lock-acquire.lua.js';
import { lockExtend } from './lua/lock-extend.lua.js';
import { lockInspect } from './lua/lock-inspect.lua.js';
import { lockRelease } from './lua/lock-release.lua.js';

export interface RedisLockStoreOptions {
  /** Channel of an instance's wakes, up to its id. */
  wakePrefix: string;
  guard: CallGuard;
  /** How long a lock that has become free is kept for the first of its queue; default 300. */
  claimMs?: number;
}

/** Locks as scripts, one atomic step each, on whatever servers the topology has. */
export class RedisLockStore implements LockStore {
  constructor(
    private readonly topology: Topology,
    private readonly options: RedisLockStoreOptions,
  ) {}

  async acquire(key: string, request: AcquireLockRequest): Promise<AcquireLockReply> {
    const { claimMs = CLAIM_MS } = this.options;
    const { reply, details } = await this.run('write', lockAcquire, key, { ...request, claimMs });
    return reply === 'granted'
      ? { state: 'granted', token: BigInt(String(details[0])) }
      : { state: 'held', ttlMs: Number(details[0]) };
  }

  async extend(
    key: string,
    { id, ttlMs, token }: { id: string; ttlMs: number; token: bigint },
  ): Promise<boolean> {
    const values = { id, ttlMs, raiseTo: String(token) };
    return (await this.run('write', lockExtend, key, values)).reply === 'extended';
  }

  async release(key: string, { id = '' }: { id?: string }): Promise<boolean> {
    const { wakePrefix } = this.options;
    return (await this.run('write', lockRelease, key, { id, wakePrefix })).reply === 'released';
  }

  async isHeld(key: string): Promise<boolean> {
    return (await this.run('read', lockInspect, key, {})).reply === 'held';
  }

  private run<Arg extends string, Reply extends string>(
    kind: CallKind,
    script: Script<Arg, Reply>,
    key: string,
    values: Record<Arg, ScriptValue>,
  ): Promise<ScriptAnswer<Reply>> {
    const { client, name } = this.topology.shardOf(key);
    const call = (): Promise<ScriptAnswer<Reply>> => runScript(client, script, key, values);
    return this.options.guard.run(kind, script.name, call, name);
  }
}
