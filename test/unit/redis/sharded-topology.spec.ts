import { describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { systemClock } from '../../../lib/common/clock.js';
import { KeySpace, lockKeyOf, refreshKeyOf } from '../../../lib/keys/key-space.js';
import { ShardedTopology } from '../../../lib/redis/sharded.topology.js';
import type { Shard } from '../../../lib/redis/topology.js';
import type { ShardedTopologyOptions } from '../../../lib/redis/topology.options.js';

const KEYS = Array.from({ length: 5_000 }, (_, i) => `cache:kuser:${i}`);
const A = 'redis://a:6379';
const B = 'redis://b:6379';
const C = 'redis://c:6379';

/** Nothing connects before it is told to. */
function topologyOf(
  shards: ShardedTopologyOptions['shards'],
  options: Partial<ShardedTopologyOptions> = {},
): ShardedTopology {
  return new ShardedTopology(
    { type: 'sharded', shards, ...options },
    { clock: systemClock, connectTimeoutMs: 100, onError: () => undefined },
  );
}

const names = (shards: readonly Shard[]): string[] => shards.map(({ name }) => name);
const hostOf = ({ client }: Shard): string => (client as Redis).options.host!;

describe('ShardedTopology', () => {
  it('T2 shardOf — the list in another order, other hosts of the same names → the same names', () => {
    const one = topologyOf([A, B, C]);
    const two = topologyOf([C, { url: 'redis://x', name: 'a:6379' }, B]);
    for (const key of KEYS) expect(two.shardOf(key).name).toBe(one.shardOf(key).name);
    expect(two.topologyId).toBe(one.topologyId);
  });

  it('T2 shardOf — weights → shares', () => {
    const topology = topologyOf([A, { url: B, weight: 3 }]);
    const share = KEYS.filter((key) => topology.shardOf(key).name === 'b:6379').length;
    expect(Math.abs(share / KEYS.length / 0.75 - 1)).toBeLessThan(0.1);
  });

  it('shards — as given, each once, whatever the number of connections', () => {
    expect(names(topologyOf([C, A, { url: B, name: 'x' }], { connections: 3 }).shards())).toEqual([
      'c:6379',
      'a:6379',
      'x',
    ]);
  });

  const five = topologyOf([A, B, C, 'redis://d', 'redis://e']);
  const home = (key: string): string => five.shardOf(key).name;

  it('T4 T5 equal hash tags → one shard, with refresh lease and lock', () => {
    const space = new KeySpace('cache');
    for (let user = 0; user < 200; user++) {
      const keys = [
        `{u${user}}:name`,
        `mail of {u${user}}`,
        ['cart', `{u${user}}`, 7],
        `x{u${user}}{y}`,
      ];
      const entries = keys.map((key) => space.entry(key));
      const redisKeys = entries.flatMap((entry) => [
        entry.redisKey,
        refreshKeyOf(entry),
        lockKeyOf(entry),
      ]);
      redisKeys.push(space.child('nested').entry(`{u${user}}`).redisKey);
      expect(new Set(redisKeys.map(home)).size).toBe(1);
    }
  });

  it.each([
    ['empty', (i: number) => `p:{}${i}`],
    ['empty, then another', (i: number) => `p:a{}b{${i}}`],
    ['unclosed', (i: number) => `p:{tag${i}`],
    ['closed before it opens', (i: number) => `p:}${i}{`],
  ])('T4 braces %s → no hash tag, the whole key decides', (_, key) => {
    const homes = Array.from({ length: 200 }, (__, i) => home(key(i)));
    expect(new Set(homes).size).toBe(5);
  });

  it('T4 the first closed tag counts → also with braces in it', () => {
    expect(home('a{{x}}b')).toBe(home('{x'));
    expect(home('a}b{x}c')).toBe(home('x'));
    expect(home('{x}{y}')).toBe(home('x'));
  });

  it('T7 connections → each key always the same one, all of them used', () => {
    const topology = topologyOf([A, B], { connections: 4 });
    const used = new Map<unknown, number>();
    for (const key of KEYS) {
      const { client } = topology.shardOf(key);
      expect(topology.shardOf(key).client).toBe(client);
      used.set(client, (used.get(client) ?? 0) + 1);
    }
    expect(used.size).toBe(8);
    expect(Math.min(...used.values())).toBeGreaterThan(KEYS.length / 8 / 1.2);
    expect(topology.connections()).toHaveLength(8);
    expect(new Set(names(topology.connections()))).toEqual(new Set(['a:6379', 'b:6379']));
  });

  describe('previousShards', () => {
    it('none → nobody', () => {
      for (const topology of [topologyOf([A, B]), topologyOf([A, B], { previousShards: [] })]) {
        expect(KEYS.flatMap((key) => topology.formerOwnersOf(key))).toEqual([]);
        expect(topology.formerShards()).toEqual([]);
        expect(topology.formerTopologyId).toBeUndefined();
      }
    });

    it('one shard more → former owners of the keys that moved, over the connections there are', () => {
      const [before, now] = [topologyOf([A, B]), topologyOf([A, B, C], { previousShards: [B, A] })];
      const moved = KEYS.filter((key) => now.shardOf(key).name !== before.shardOf(key).name);
      expect(Math.abs((moved.length / KEYS.length) * 3 - 1)).toBeLessThan(0.1);
      expect(KEYS.filter((key) => now.formerOwnersOf(key).length > 0)).toEqual(moved);
      for (const key of moved) {
        expect(names(now.formerOwnersOf(key))).toEqual([before.shardOf(key).name]);
        expect(now.shards()).toContain(now.formerOwnersOf(key)[0]);
      }
      expect(now.formerShards()).toEqual([]);
      expect(now.connections()).toHaveLength(3);
      expect(now.formerTopologyId).toBe(before.topologyId);
    });

    it('one shard fewer → the one that has gone is a former shard, and has no keys', () => {
      const now = topologyOf([A, B], { previousShards: [A, B, C], connections: 2 });
      expect(names(now.formerShards())).toEqual(['c:6379 (former)']);
      expect(names(now.shards())).toEqual(['a:6379', 'b:6379']);
      expect(now.connections()).toHaveLength(6);
      const owners = new Set(KEYS.flatMap((key) => names(now.formerOwnersOf(key))));
      expect(owners).toEqual(new Set(['c:6379 (former)']));
      expect(new Set(KEYS.map((key) => now.shardOf(key).name)).size).toBe(2);
    });

    it('another host under the same name → both, and no key changes its shard', () => {
      const now = topologyOf([A, { url: C, name: 'b' }], {
        previousShards: [A, { url: B, name: 'b' }],
      });
      const where = KEYS.map((key) => [now.shardOf(key), ...now.formerOwnersOf(key)]);
      expect(new Set(where.map((shards) => shards.map(hostOf).join(' then ')))).toEqual(
        new Set(['a', 'c then b']),
      );
      expect(new Set(names(now.formerShards()))).toEqual(new Set(['b (former)']));
      expect(now.formerTopologyId).toBe(now.topologyId);
    });

    it('another weight → the same connections', () => {
      const now = topologyOf([A, { url: B, weight: 2 }], { previousShards: [A, B] });
      expect(now.connections()).toHaveLength(2);
      expect(now.formerShards()).toEqual([]);
      const moved = KEYS.filter((key) => now.formerOwnersOf(key).length > 0);
      expect(new Set(moved.map((key) => now.shardOf(key).name))).toEqual(new Set(['b:6379']));
      expect(moved.length / KEYS.length).toBeCloseTo(2 / 3 - 1 / 2, 1);
    });

    it('from a single server on → its id is 0, and former owner is that server', () => {
      const now = topologyOf([A, B], { previousShards: [A] });
      expect(now.formerTopologyId).toBe(0);
      expect(now.topologyId).not.toBe(0);
      const moved = KEYS.filter((key) => now.shardOf(key).name === 'b:6379');
      for (const key of moved) expect(names(now.formerOwnersOf(key))).toEqual(['a:6379']);
      expect(topologyOf([A], { previousShards: [A, B] }).topologyId).toBe(0);
    });

    it('equal hash tags → equal former owners', () => {
      const now = topologyOf([A, B, C], { previousShards: [A, B] });
      for (let i = 0; i < 200; i++)
        expect(now.formerOwnersOf(`cache:k{${i}}:x`)).toEqual(now.formerOwnersOf(`p:y{${i}}`));
    });
  });
});
