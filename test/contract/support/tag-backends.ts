import { Redis } from 'ioredis';
import { systemClock } from '../../../lib/common/clock.js';
import { SingleTopology } from '../../../lib/redis/single.topology.js';
import type { Shard, Topology } from '../../../lib/redis/topology.js';
import { CallGuard } from '../../../lib/resilience/call-guard.js';
import { MemoryTagTable } from '../../../lib/tags/memory-tag-table.js';
import { RedisTagTable } from '../../../lib/tags/redis-tag-table.js';
import { copyTags, headKeyOf, tableKeyOf } from '../../../lib/tags/table-key.js';
import { isValid, type TagTable, type TagTableLimits } from '../../../lib/tags/tag-table.js';

/** A busy machine must not turn a slow answer into a failed test. */
const PATIENT_MS = 5_000;

export interface TagBackend {
  /** The same tables as two processes see them. */
  readonly tables: readonly [TagTable, TagTable];
  /** Removes the tables of a namespace, all copies, past the port. */
  lose(path: string): Promise<void>;
  close(): Promise<void>;
}

export interface Entry {
  readonly redisKey: string;
  readonly tags: readonly string[];
  readonly c0: number;
}

/** What the cache keeps of an entry whose load begins now. */
export async function load(
  table: TagTable,
  redisKey: string,
  tags: readonly string[] = [],
): Promise<Entry> {
  return { redisKey, tags, c0: await table.clock(redisKey) };
}

export async function check(table: TagTable, { redisKey, tags, c0 }: Entry): Promise<boolean> {
  return isValid(c0, tags, await table.versions(redisKey, tags));
}

export async function memoryTags(limits?: TagTableLimits): Promise<TagBackend> {
  const table = new MemoryTagTable({ clock: systemClock, limits });
  const { tables } = table as unknown as { tables: Map<string, unknown> };
  return {
    tables: [table, table],
    lose: async (path) => void tables.delete(path),
    close: async () => undefined,
  };
}

export function openTopology(url: string, connections = 1): SingleTopology {
  return new SingleTopology(
    { type: 'single', url, connections },
    { clock: systemClock, connectTimeoutMs: 2_000, onError: () => undefined },
  );
}

export const patientGuard = (): CallGuard =>
  new CallGuard({ readMs: PATIENT_MS, writeMs: PATIENT_MS, clock: systemClock });

/** `copies` as a cluster would have them, on one server. */
export async function redisTags(
  limits?: TagTableLimits,
  { copies = 1, connections = 1 } = {},
): Promise<TagBackend> {
  const url = process.env.TEST_REDIS_URL!;
  const topologies = [openTopology(url, connections), openTopology(url, connections)];
  return overTopologies(topologies, [url], { limits, copies });
}

/** Two databases of one server stand for two shards. */
export async function shardedTags(limits?: TagTableLimits): Promise<TagBackend> {
  const urls = [0, 1].map(
    (db) => Object.assign(new URL(process.env.TEST_REDIS_URL!), { pathname: `/${db}` }).href,
  );
  return overTopologies([new TwoShards(urls), new TwoShards(urls)], urls, { limits });
}

async function overTopologies(
  topologies: readonly Topology[],
  urls: readonly string[],
  options: { limits?: TagTableLimits; copies?: number },
): Promise<TagBackend> {
  await Promise.all(topologies.map((topology) => topology.connect()));
  const raw = urls.map((url) => new Redis(url));
  const [one, two] = topologies.map(
    (topology) => new RedisTagTable(topology, { guard: patientGuard(), ...options }),
  );
  return {
    tables: [one!, two!],
    lose: async (path) => {
      const tags = copyTags(options.copies ?? 1);
      const keys = [tableKeyOf, headKeyOf].flatMap((of) => tags.map((tag) => of(path, tag)));
      await Promise.all(raw.map((client) => client.unlink(keys)));
    },
    close: async () => {
      await Promise.all([
        ...raw.map((client) => client.quit()),
        ...topologies.map((t) => t.close()),
      ]);
    },
  };
}

/** A key is on the shard that its last character chooses. */
export class TwoShards implements Topology {
  readonly kind = 'sharded';
  readonly topologyId = 1;
  readonly formerTopologyId = undefined;
  private readonly parts: readonly SingleTopology[];
  private readonly both: readonly Shard[];

  constructor(urls: readonly string[]) {
    this.parts = urls.map((url) => openTopology(url));
    this.both = this.parts.map((part, i) => ({
      name: `shard-${i}`,
      client: part.shardOf('any').client,
    }));
  }

  shardOf(key: string): Shard {
    return this.both[key.charCodeAt(key.length - 1) % 2]!;
  }

  shards(): readonly Shard[] {
    return this.both;
  }

  formerOwnersOf(): readonly Shard[] {
    return [];
  }

  formerShards(): readonly Shard[] {
    return [];
  }

  connections(): readonly Shard[] {
    return this.shards();
  }

  createPubSubClient(shard: Shard): Redis {
    return this.parts[0]!.createPubSubClient(shard);
  }

  async connect(): Promise<void> {
    await Promise.all(this.parts.map((part) => part.connect()));
  }

  async close(): Promise<void> {
    await Promise.all(this.parts.map((part) => part.close()));
  }
}
