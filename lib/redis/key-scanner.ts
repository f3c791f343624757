import type { Cluster, Redis } from 'ioredis';
import { untilAborted } from '../common/async.js';
import { CacheConnectionError } from '../common/errors.js';
import { escapeGlob } from '../keys/glob.js';
import type { CallGuard } from '../resilience/call-guard.js';
import { scanMasters, slotsAt, type ScannedServer } from './cluster-scan.js';
import type { Shard, Topology } from './topology.js';

export interface KeyScanOptions {
  /** Ends the scan with the signal's reason, also while a server is being waited for. */
  signal?: AbortSignal | undefined;
  /** Leaves out what lies at a server where only processes with another list of shards look for it. */
  own?: boolean;
  /** Goes around every step, so each has a deadline of its own and the whole has none. */
  guard: CallGuard;
}

/** Buckets that a server looks at in one step: some 0.1 ms in which it does nothing else. */
const COUNT = 500;

/** Keys that one generation of {@link RecentKeys} holds; two of full length are some 6 MB. */
const GENERATION_KEYS = 10_000;

/**
 * The keys that begin with `prefix`, taken literally, of every master of a topology, one server after the other and in
 * no order. Those that are there from beginning to end come, also if they move to another server of a cluster meanwhile, and
 * perhaps twice then; those that come or go meanwhile may. So any key may be gone by the time it is looked at.
 *
 * A batch is what one step has found, so at most about 500 keys, and the event loop turns between two of them; nothing is
 * read ahead of who iterates. A key that SCAN repeats while its table is resized is left out if it is among the last
 * 10 000 to 20 000 of its server, which is all that is remembered; beyond that it may come twice.
 *
 * Fails as its `guard` does, also when the connection is lost between two steps: a cursor means nothing to another server,
 * and what it would leave out nobody would know.
 */
export async function* scanKeys(
  topology: Topology,
  prefix: string,
  options: KeyScanOptions,
): AsyncGenerator<readonly string[], void, void> {
  const pattern = `${escapeGlob(prefix)}*`;
  for (const shard of [...topology.shards(), ...(options.own ? [] : topology.formerShards())])
    for await (const found of scanShard(shard, pattern, options)) {
      const keys = options.own ? found.filter((key) => isAt(topology, key, shard)) : found;
      if (keys.length > 0) yield keys;
    }
}

/** By name: a server may have several connections. */
const isAt = (topology: Topology, key: string, { name }: Shard): boolean =>
  topology.kind !== 'sharded' || topology.shardOf(key).name === name;

/** SCAN has no key to be routed by: on a cluster's client it would reach any one node. */
function scanShard(
  { name, client }: Shard,
  pattern: string,
  options: KeyScanOptions,
): AsyncIterable<readonly string[]> {
  if (!client.isCluster) return scanServer({ name, client: client as Redis }, pattern, options);
  return scanMasters(client as Cluster, name, {
    scan: (master) => scanServer(master, pattern, options),
    slotsOf: (master) => options.guard.run('read', 'scan', () => slotsAt(master), master.name),
  });
}

async function* scanServer(
  { name, client }: ScannedServer,
  pattern: string,
  { signal, guard }: KeyScanOptions,
): AsyncGenerator<readonly string[], void, void> {
  const recent = new RecentKeys();
  const connection = new SameConnection(name, client);
  let cursor = '0';
  do {
    signal?.throwIfAborted();
    const from = cursor;
    const scan = (): Promise<[string, string[]]> =>
      client.scan(from, 'MATCH', pattern, 'COUNT', COUNT);
    const [next, keys] = await untilAborted(guard.run('read', 'scan', scan, name), signal);
    connection.check();
    cursor = next;
    yield keys.filter((key) => recent.add(key));
  } while (cursor !== '0');
}

/** Notices that a client has connected anew, which it does by itself. */
class SameConnection {
  private stream: Redis['stream'] | undefined;

  constructor(
    private readonly name: string,
    private readonly client: Redis,
  ) {}

  /** To be called with each answer. */
  check(): void {
    const { stream } = this.client;
    this.stream ??= stream;
    if (stream !== this.stream)
      throw new CacheConnectionError(
        `scan failed at ${this.name}: the connection was lost on the way; begin again`,
      );
  }
}

/** The last keys that were added: two generations, of which the older one goes when the younger is full. */
class RecentKeys {
  private younger = new Set<string>();
  private older = new Set<string>();

  /** False: it is there already. */
  add(key: string): boolean {
    if (this.younger.has(key) || this.older.has(key)) return false;
    this.younger.add(key);
    if (this.younger.size >= GENERATION_KEYS) {
      this.older = this.younger;
      this.younger = new Set();
    }
    return true;
  }
}
