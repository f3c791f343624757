import { describe, expect, it } from '@jest/globals';
import { listedShard, topologyIdOf } from '../../../lib/redis/shard-list.js';
import type { ShardOptions } from '../../../lib/redis/topology.options.js';

describe('listedShard', () => {
  it.each([
    ['redis://host', 'host:6379'],
    ['redis://host:7000', 'host:7000'],
    ['redis://user:pass@HOST:7000/3?family=6', 'host:7000'],
    ['REDISS://host', 'host:6379'],
    ['redis://[::1]:7000', '[::1]:7000'],
    ['/var/run/redis.sock', '/var/run/redis.sock'],
    ['unix:///var/run/redis.sock?db=2', '/var/run/redis.sock'],
  ])('T2 %s → by default named %s, weight 1', (url, name) => {
    expect(listedShard(url)).toMatchObject({ name, weight: 1, url });
    expect(listedShard({ url })).toEqual(listedShard(url));
  });

  it('what is given → goes before the defaults', () => {
    const redis = { tls: {} };
    const given = { url: 'redis://host', name: 'one', weight: 2, redis };
    expect(listedShard(given)).toMatchObject(given);
  });

  const sentinel = (name: string, host = 's'): ShardOptions => ({
    url: 'redis://ignored',
    redis: { sentinels: [{ host, port: 26379 }], name },
  });

  it.each<[string | ShardOptions, string | ShardOptions]>([
    ['redis://host', 'rediss://user:pass@HOST:6379/0'],
    ['redis://host/2', 'redis://host?db=2'],
    ['redis://host/2', { url: 'redis://host', name: 'other', redis: { db: 2 } }],
    ['redis://host/2', { url: 'redis://host/2', redis: { db: 3 } }],
    ['/tmp/a?db=1', 'unix:///tmp/a?db=1&password=secret'],
    ['redis://host/02', 'redis://host/2'],
    ['redis://host:7000', { url: 'redis://host', redis: { port: 7000, host: 'other' } }],
    ['/tmp/a', { url: 'redis://host', redis: { path: '/tmp/a' } }],
    [sentinel('x'), sentinel('x')],
  ])('%j and %j → the same server', (one, two) => {
    expect(listedShard(one).server).toBe(listedShard(two).server);
  });

  it.each<[string | ShardOptions, string | ShardOptions]>([
    ['redis://host', 'redis://host:6380'],
    ['redis://host', 'redis://other'],
    ['redis://host', 'redis://host/1'],
    ['redis://host', { url: 'redis://host', redis: { db: 1 } }],
    ['/tmp/a', '/tmp/b'],
    ['/tmp/a', '/tmp/a?db=1'],
    [sentinel('x'), sentinel('y')],
    [sentinel('x'), sentinel('x', 'other')],
  ])('%j and %j → different servers', (one, two) => {
    expect(listedShard(one).server).not.toBe(listedShard(two).server);
  });

  it('the server → without credentials', () => {
    expect(JSON.stringify(listedShard('redis://user:hunter2@host').server)).not.toMatch(/user|hun/);
  });

  it('a URL that is none → throws', () => {
    expect(() => listedShard('host:6379:1')).toThrow('no URL of a Redis server');
    expect(() => listedShard('redis://a:b:c')).toThrow('Invalid URL');
  });
});

describe('topologyIdOf', () => {
  const id = (...shards: (string | ShardOptions)[]): number =>
    topologyIdOf(shards.map(listedShard));
  const shard = (name: string, weight?: number): ShardOptions => ({
    url: 'redis://h',
    name,
    weight,
  });

  /** Entries that are in Redis carry it. */
  it('names of old → the id of old', () => {
    expect(id(shard('alpha'), shard('beta'), shard('gamma'))).toBe(0x330afe35);
  });

  it('T2 another order, another URL of the same name → the same', () => {
    expect(id(shard('b'), shard('a'))).toBe(id(shard('a'), shard('b')));
    expect(id('redis://a', { url: 'redis://elsewhere', name: 'b:6379' })).toBe(
      id('redis://a', 'redis://b'),
    );
  });

  it('another name, weight or number of shards → another one', () => {
    const ids = [
      id(shard('a'), shard('b')),
      id(shard('a'), shard('c')),
      id(shard('a'), shard('b'), shard('c')),
      id(shard('a', 2), shard('b')),
      id(shard('a'), shard('b', 2)),
      id(shard('a', 0.5), shard('b')),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    for (const one of ids) expect(one).toBe(one >>> 0);
  });

  it('one shard → 0, as a single server', () => {
    expect(id(shard('a'))).toBe(0);
    expect(id(shard('b', 7))).toBe(0);
    expect(id(shard('a'), shard('b'))).not.toBe(0);
  });
});
