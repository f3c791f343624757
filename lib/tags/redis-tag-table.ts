import { CacheConnectionError } from '../common/errors.js';
import { portionsOf } from '../common/portions.js';
import { runScript, type ScriptAnswer } from '../redis/script-runner.js';
import type { Script, ScriptValue } from '../redis/script.js';
import { BatchedReads } from '../redis/batched-reads.js';
import { holdWrites, inOneWrite } from '../redis/one-write.js';
import type { RedisClient, Shard, Topology } from '../redis/topology.js';
import type { CallGuard } from '../resilience/call-guard.js';
import { bumpTags } from './lua/bump-tags.lua.js';
import { initTags } from './lua/init-tags.lua.js';
import { copyOf, copyTags, headKeyOf, pathOf, tableKeyOf } from './table-key.js';
import { KnownTable, type HeadLook } from './table-head.js';
import { TagChecker } from './tag-checker.js';
import { assertTags, memberOf, MEMBERS } from './tag-names.js';
import {
  DEFAULT_LIMITS,
  FORGET_MORE,
  type TagTable,
  type TagTableLimits,
  type TagVersions,
} from './tag-table.js';

export interface RedisTagTableOptions {
  guard: CallGuard;
  /** Copies of each table; default 16 in a cluster, else 1. With shards each has one. The same in all processes, for ever. */
  copies?: number;
  limits?: TagTableLimits;
  /** Those of the entries, so that heads travel with them; default: reads of its own. */
  reads?: BatchedReads;
}

/** One copy of a table. */
interface Place {
  readonly id: string;
  readonly key: string;
  /** '': it has none. */
  readonly headKey: string;
  readonly shard: Shard;
  readonly known: KnownTable;
}

interface Reading {
  readonly clock: number;
  /** Undefined: the table was lost, and `clock` is that of the new one. */
  readonly versions?: TagVersions;
}

/** Places remembered, one for each namespace and shard; beyond, all are forgotten, and are asked anew. */
const MOST_PLACES = 10_000;

/** Members in one bump. Two arguments each have to fit on Lua's stack, and other clients wait meanwhile. */
const MAX_MEMBERS = 1_000;

/** Tables as sorted sets, one script or one ZMSCORE for each step. */
export class RedisTagTable implements TagTable {
  private readonly checker = new TagChecker(
    (place: Place, tags) => this.read(place, tags),
    () => holdWrites(this.topology.shards()),
  );
  /** One for each copy. */
  private readonly tags: readonly string[];
  private readonly limits: TagTableLimits;
  private readonly reads: BatchedReads;
  /** By shard, then by path and tag. */
  private places = new WeakMap<Shard, Map<string, Place>>();
  private placeCount = 0;
  /** Of each copy the last one that was asked for: nearly always that of the next key, too. */
  private readonly last: { prefix: string; shard: Shard; place: Place }[] = [];
  /** Whose heads are being written again. */
  private readonly heads = new Set<Place>();

  constructor(
    private readonly topology: Topology,
    private readonly options: RedisTagTableOptions,
  ) {
    this.limits = options.limits ?? DEFAULT_LIMITS;
    this.reads = options.reads ?? new BatchedReads(options.guard);
    const { copies } = options;
    this.tags = copyTags({ single: copies ?? 1, sharded: 1, cluster: copies ?? 16 }[topology.kind]);
  }

  clock(redisKey: string): Promise<number> {
    const place = this.placeOf(redisKey);
    const head = this.lookAtHead(place);
    return head ? (head.clock ??= this.clockOf(place, head)) : this.clockOf(place);
  }

  private async clockOf(place: Place, head?: HeadLook): Promise<number> {
    return (await head?.versions)?.clock ?? (await this.atTable(place, [])).clock;
  }

  async versions(redisKey: string, tags: readonly string[]): Promise<TagVersions | undefined> {
    const place = this.placeOf(redisKey);
    const known = tags.length === 0 ? await this.lookAtHead(place)?.versions : undefined;
    return known ?? (await this.atTable(place, tags)).versions;
  }

  async glance(redisKey: string, likelyTags: readonly string[]): Promise<TagVersions | undefined> {
    const place = this.placeOf(redisKey);
    const head = this.lookAtHead(place);
    // Nothing is waited for where there is none: the table is asked in the same write as the entries.
    const known = head && (await head.versions);
    return known ?? (await this.atTable(place, likelyTags)).versions;
  }

  tableOf(redisKey: string): Place {
    return this.placeOf(redisKey);
  }

  /** Undefined: tables have no heads here. */
  private lookAtHead({ headKey, shard, known }: Place): HeadLook | undefined {
    return headKey === '' ? undefined : known.lookBy(this.reads.of(shard).readShared(headKey));
  }

  private async atTable(place: Place, tags: readonly string[]): Promise<Reading> {
    const reading = await this.checker.check(place, tags);
    // Nobody waits for the head to be written again: a server that refuses to write can be read all the same.
    if (reading.versions && place.known.headIsMissing && !this.heads.has(place)) {
      this.heads.add(place);
      const over = (): unknown => this.heads.delete(place);
      void this.init(place).then(over, over);
    }
    return reading;
  }

  async bump(path: string, tags: readonly string[]): Promise<number> {
    assertTags('bump', tags);
    return tags.length === 0 ? 0 : this.issue(path, [...new Set(tags.map(memberOf))]);
  }

  clear(path: string): Promise<number> {
    return this.issue(path, [MEMBERS.clear]);
  }

  private async issue(path: string, members: readonly string[]): Promise<number> {
    const places = this.placesOf(path);
    const send = (): Promise<number>[] => places.map((place) => this.issueAt(place, members));
    const issued = await Promise.allSettled(inOneWrite(this.topology.shards(), send));
    const failed = places.filter((_, i) => issued[i]!.status === 'rejected');
    if (failed.length === 0)
      return Math.max(...issued.map((r) => (r as PromiseFulfilledResult<number>).value));
    const cause = issued.find((r) => r.status === 'rejected')!.reason as Error;
    if (places.length === 1) throw cause;
    const names = failed.map(({ key, shard }) => `${key} at ${shard.name}`).join(', ');
    throw new CacheConnectionError(
      `bumpTags failed in ${failed.length} of ${places.length} copies of the tag table: ${names}; the first: ${cause.message}`,
      { cause },
    );
  }

  private async issueAt(place: Place, members: readonly string[]): Promise<number> {
    const { keepMs, maxTags } = this.limits;
    let version = 0;
    for (const some of portionsOf(members, MAX_MEMBERS)) {
      const { details } = await this.run(bumpTags, place, {
        headKey: place.headKey,
        members: JSON.stringify(some),
        keepMicros: Math.ceil(keepMs * 1_000),
        maxTags,
        forgetMore: FORGET_MORE,
      });
      version = Number(details[0]);
    }
    return version;
  }

  private async read(place: Place, tags: string[]): Promise<Reading> {
    const { client, name } = place.shard;
    const members = [MEMBERS.clock, MEMBERS.base, MEMBERS.clear, ...tags.map(memberOf)];
    const call = (): Promise<Score[]> => scoresOf(client, place.key, members);
    const scores = await this.options.guard.run('read', 'tagVersions', call, name);
    const [clock, base, cleared, ...versions] = scores;
    if (clock == null || base == null) return { clock: await this.init(place) };
    const reading = {
      clock: Number(clock),
      floor: Math.max(Number(base), Number(cleared ?? 0)),
      tags: new Map(tags.map((tag, i) => [tag, Number(versions[i] ?? 0)])),
    };
    place.known.learn(reading);
    return { clock: reading.clock, versions: reading };
  }

  private async init(place: Place): Promise<number> {
    const { details } = await this.run(initTags, place, { headKey: place.headKey });
    return Number(details[0]);
  }

  private run<Arg extends string, Reply extends string>(
    script: Script<Arg, Reply>,
    { key, shard }: Place,
    values: Record<Arg, ScriptValue>,
  ): Promise<ScriptAnswer<Reply>> {
    const call = (): Promise<ScriptAnswer<Reply>> => runScript(shard.client, script, key, values);
    return this.options.guard.run('write', script.name, call, shard.name);
  }

  /** With shards the copy lies where the entry does; in a cluster it has a slot of its own, usually at the same master. */
  private placeOf(redisKey: string): Place {
    const { topology, tags } = this;
    const copy = copyOf(redisKey, tags.length);
    const tag = tags[copy]!;
    // The tag is all of the table's key that decides where it lies.
    const shard = topology.shardOf(topology.kind === 'cluster' ? `{${tag}}` : redisKey);
    const last = this.last[copy];
    if (last?.shard === shard && redisKey.startsWith(last.prefix)) return last.place;
    const path = pathOf(redisKey);
    const place = this.placeAt(shard, path, tag);
    this.last[copy] = { prefix: `${path}:`, shard, place };
    return place;
  }

  private placesOf(path: string): Place[] {
    const { topology, tags } = this;
    if (topology.kind === 'sharded')
      return [...topology.shards(), ...topology.formerShards()].map((shard) =>
        this.placeAt(shard, path, tags[0]!),
      );
    return tags.map((tag) => this.placeAt(topology.shardOf(tableKeyOf(path, tag)), path, tag));
  }

  private placeAt(shard: Shard, path: string, tag: string): Place {
    let places = this.places.get(shard);
    if (!places) this.places.set(shard, (places = new Map()));
    const id = tag === this.tags[0] ? path : `${path} ${tag}`;
    let place = places.get(id);
    if (place) return place;
    const key = tableKeyOf(path, tag);
    const headKey = this.topology.kind === 'cluster' ? '' : headKeyOf(path, tag);
    place = { id: `${shard.name} ${key}`, key, headKey, shard, known: new KnownTable() };
    if (++this.placeCount > MOST_PLACES) {
      this.places = new WeakMap([[shard, (places = new Map())]]);
      this.placeCount = 1;
    }
    places.set(id, place);
    return place;
  }
}

/** In decimals, or a number from a client that is set so. */
type Score = string | number | null | undefined;

async function scoresOf(client: RedisClient, key: string, members: string[]): Promise<Score[]> {
  try {
    return (await client.zmscore(key, members)) as Score[];
  } catch (error) {
    if ((error as Error).message.startsWith('WRONGTYPE')) return [];
    throw error;
  }
}
