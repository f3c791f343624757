import { Redis } from 'ioredis';
import { systemClock } from '../../../lib/common/clock.js';
import type { LockStore } from '../../../lib/locks/lock-store.js';
import { MemoryLockStore } from '../../../lib/locks/memory-lock-store.js';
import { RedisLockStore } from '../../../lib/locks/redis-lock-store.js';
import { SingleTopology } from '../../../lib/redis/single.topology.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { waitFor } from '../../support/wait-for.js';
import { ManualClock } from './manual-clock.js';

/** What a lock's record says; nothing in it of a hold that has expired. */
export interface Seen {
  holder: string;
  leftMs: number;
  waiting: string[];
}

/** A lock store, and what a test must be able to do behind its back. */
export interface LockBackend {
  readonly store: LockStore;
  look(key: string): Promise<Seen>;
  /** Lets the lock's hold be older by that much. */
  pass(key: string, ms: number): Promise<void>;
  /** The server's clock was wrong by so much when the last token was given. */
  turnBack(key: string, ms: number): Promise<void>;
  /** Every wake sent so far, in order, as `instance key id`. */
  wakes(): Promise<string[]>;
  close(): Promise<void>;
}

export interface RedisLockBackend extends LockBackend {
  readonly raw: Redis;
}

/** A busy machine must not turn a slow answer into a failed test. */
const PATIENT_MS = 5_000;
let runs = 0;

export async function memoryLocks(claimMs?: number): Promise<LockBackend> {
  const clock = new ManualClock();
  const wakes: string[] = [];
  const onWake = (id: string, key: string): void =>
    void wakes.push(`${id.slice(0, 10)} ${key} ${id}`);
  const store = new MemoryLockStore({ clock, onWake, claimMs });
  const { records } = store as unknown as {
    records: Map<string, { holder: string; ends: number; waiting: string[] }>;
  };
  return {
    store,
    look: async (key) => {
      const record = records.get(key);
      const leftMs = record?.holder ? record.ends - clock.monotonic() : 0;
      const waiting = [...(record?.waiting ?? [])];
      return { ...live(record?.holder ?? '', leftMs), waiting };
    },
    pass: async (_, ms) => clock.advance(ms),
    turnBack: async (_, ms) => void (clock.wallOffsetMs -= ms),
    wakes: async () => [...wakes],
    close: async () => undefined,
  };
}

export async function redisLocks(
  claimMs?: number,
  url = process.env.TEST_REDIS_URL!,
): Promise<RedisLockBackend> {
  const wakePrefix = `wake:${process.pid}:lock${runs++}:`;
  const topology = new SingleTopology(
    { type: 'single', url },
    { clock: systemClock, connectTimeoutMs: 2_000, onError: () => undefined },
  );
  await topology.connect();
  const guard = new CallGuard({ readMs: PATIENT_MS, writeMs: PATIENT_MS, clock: systemClock });
  const raw = new Redis(url);
  const subscriber = new Redis(url);
  const messages: string[] = [];
  await subscriber.psubscribe(`${wakePrefix}*`);
  subscriber.on('pmessage', (_pattern, channel: string, message: string) =>
    messages.push(`${channel.slice(wakePrefix.length)} ${message}`),
  );
  return {
    store: new RedisLockStore(topology, { wakePrefix, guard, claimMs }),
    raw,
    look: async (key) => {
      const [holder, ends, waiting] = await raw.hmget(key, 'holder', 'ends', 'waiting');
      const [seconds, micros] = await raw.time();
      const now = Number(seconds) * 1e6 + Number(micros);
      return {
        ...live(holder ?? '', (Number(ends) - now) / 1e3),
        waiting: (waiting ?? '').split(',').filter(Boolean),
      };
    },
    pass: async (key, ms) => {
      if (await raw.exists(key)) await raw.hincrby(key, 'ends', -ms * 1e3);
    },
    turnBack: async (key, ms) => void (await raw.hincrby(key, 'token', ms * 1e3)),
    wakes: async () => {
      // Messages arrive in order: once this one is there, so are all before it.
      await raw.publish(`${wakePrefix}fence`, 'x');
      await waitFor(() => messages.at(-1) === 'fence x', { intervalMs: 1 });
      messages.pop();
      return [...messages];
    },
    close: async () => {
      await Promise.all([raw.quit(), subscriber.quit(), topology.close()]);
    },
  };
}

function live(holder: string, leftMs: number): Omit<Seen, 'waiting'> {
  return holder && leftMs > 0 ? { holder, leftMs } : { holder: '', leftMs: 0 };
}
