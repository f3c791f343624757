import { Redis } from 'ioredis';
import { waitFor } from '../../support/wait-for.js';
import type { TestServer } from '../../support/server.js';

/** A server that answers, and refuses to write. */
export interface RefusingState {
  readonly name: string;
  /** What a write is answered with. */
  readonly says: string;
  enter(raw: Redis): Promise<unknown>;
  leave(raw: Redis): Promise<unknown>;
}

/** MISCONF can be brought about only where `dir` may be changed. */
export const SERVER_ARGS = ['--enable-protected-configs', 'yes'];

export const REFUSING: readonly RefusingState[] = [
  {
    name: 'a replica that has lost its master',
    says: 'READONLY',
    // Nobody listens there.
    enter: (raw) => raw.replicaof('127.0.0.1', 1),
    leave: (raw) => raw.replicaof('NO', 'ONE'),
  },
  {
    name: 'too few replicas',
    says: 'NOREPLICAS',
    enter: (raw) => raw.config('SET', 'min-replicas-to-write', 1),
    leave: (raw) => raw.config('SET', 'min-replicas-to-write', 0),
  },
  {
    name: 'snapshots fail',
    says: 'MISCONF',
    enter: async (raw) => {
      // No file can be made there, whoever runs the server.
      await raw.config('SET', 'dir', '/proc');
      await raw.config('SET', 'save', '3600 1000000');
      await raw.bgsave().catch(() => undefined);
      await waitFor(async () => /rdb_last_bgsave_status:err/.test(await raw.info('persistence')));
    },
    leave: (raw) => raw.config('SET', 'save', ''),
  },
];

/** No memory is left for anything new. */
export const FULL: RefusingState = {
  name: 'memory is full, nothing is removed',
  says: 'OOM',
  enter: (raw) => raw.config('SET', 'maxmemory', '1', 'maxmemory-policy', 'noeviction'),
  leave: (raw) => raw.config('SET', 'maxmemory', '0'),
};

/** For a cache whose deadlines are not what is looked at: a machine without time is no server that does not answer. */
export const PATIENT = { timeouts: { read: '5s', write: '5s' } } as const;

/** A client that puts a server into such states. */
export function operator(server: TestServer): Redis {
  const raw = new Redis(server.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  raw.on('error', () => undefined);
  return raw;
}
