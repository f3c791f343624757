import type { Clock } from '../common/clock.js';
import { pathOf } from './table-key.js';
import { assertTags, memberOf, MEMBERS } from './tag-names.js';
import {
  DEFAULT_LIMITS,
  FORGET_MORE,
  type TagTable,
  type TagTableLimits,
  type TagVersions,
} from './tag-table.js';

export interface MemoryTagTableOptions {
  clock: Clock;
  limits?: TagTableLimits;
}

interface Table {
  clock: number;
  base: number;
  /** Of the tags and of the last clear, the oldest first. */
  readonly versions: Map<string, number>;
}

/** Beyond it the table that was begun first goes, which makes its namespace's entries invalid. */
const MOST_TABLES = 10_000;

/**
 * The tables of one process: the same steps as the scripts of {@link RedisTagTable}. One clock serves all of them, so it is
 * safe to lose a table whatever the wall clock does.
 */
export class MemoryTagTable implements TagTable {
  private readonly tables = new Map<string, Table>();
  private readonly limits: TagTableLimits;
  private lastVersion = 0;

  constructor(private readonly options: MemoryTagTableOptions) {
    this.limits = options.limits ?? DEFAULT_LIMITS;
  }

  async clock(redisKey: string): Promise<number> {
    const path = pathOf(redisKey);
    return (this.tables.get(path) ?? this.begin(path, this.nextVersion())).clock;
  }

  async versions(redisKey: string, tags: readonly string[]): Promise<TagVersions | undefined> {
    const path = pathOf(redisKey);
    const table = this.tables.get(path);
    if (!table) {
      this.begin(path, this.nextVersion());
      return undefined;
    }
    const versionOf = (member: string): number => table.versions.get(member) ?? 0;
    return {
      clock: table.clock,
      floor: Math.max(table.base, versionOf(MEMBERS.clear)),
      tags: new Map(tags.map((tag) => [tag, versionOf(memberOf(tag))])),
    };
  }

  glance(redisKey: string, likelyTags: readonly string[]): Promise<TagVersions | undefined> {
    return this.versions(redisKey, likelyTags);
  }

  tableOf(redisKey: string): string {
    return pathOf(redisKey);
  }

  async bump(path: string, tags: readonly string[]): Promise<number> {
    assertTags('bump', tags);
    return tags.length === 0 ? 0 : this.issue(path, new Set(tags.map(memberOf)));
  }

  async clear(path: string): Promise<number> {
    return this.issue(path, new Set([MEMBERS.clear]));
  }

  private issue(path: string, members: ReadonlySet<string>): number {
    const version = this.nextVersion();
    const table = this.tables.get(path) ?? this.begin(path, version);
    table.clock = version;
    for (const member of members) {
      table.versions.delete(member);
      table.versions.set(member, version);
    }
    this.forget(table, members.size + FORGET_MORE);
    return version;
  }

  private forget(table: Table, most: number): void {
    const { keepMs, maxTags } = this.limits;
    const agedAt = table.clock - Math.ceil(keepMs * 1_000);
    for (const [member, version] of table.versions) {
      if (most-- <= 0 || (version > agedAt && table.versions.size <= maxTags)) return;
      table.versions.delete(member);
      table.base = Math.max(table.base, version);
    }
  }

  private begin(path: string, version: number): Table {
    const table = { clock: version, base: version, versions: new Map<string, number>() };
    this.tables.set(path, table);
    if (this.tables.size > MOST_TABLES) this.tables.delete(this.tables.keys().next().value!);
    return table;
  }

  private nextVersion(): number {
    const micros = Math.floor(this.options.clock.now() * 1_000);
    return (this.lastVersion = Math.max(this.lastVersion + 1, micros));
  }
}
