import { describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';

import { CacheOptionsError, isCacheError, type OptionProblem } from '../../../lib/common/errors.js';
import { RedisCacheOptions } from '../../../lib/module/redis-cache.options.js';
import { resolveOptions } from '../../../lib/module/resolve-options.js';

const URL = 'redis://localhost:6379';

function failure(given: unknown): CacheOptionsError {
  try {
    resolveOptions(given, 'RedisCacheModule');
  } catch (error) {
    if (error instanceof CacheOptionsError) return error;
    throw error;
  }
  throw new Error('these options were accepted');
}

function problems(given: unknown): readonly OptionProblem[] {
  return failure(given).problems;
}

/** `{ a: { b: value } }` for 'a.b'; what is inside `topology` comes with a server to be complete. */
function optionsWith(path: string, value: unknown): Record<string, unknown> {
  const [first, second] = path.split('.') as [string, string?];
  if (!second) return { [first]: value };
  if (first !== 'topology') return { [first]: { [second]: value } };
  const server = ['url', 'redis', 'client'].includes(second) ? {} : { url: URL };
  return { topology: { type: 'single', ...server, [second]: value } };
}

describe('resolveOptions — defaults', () => {
  it('{} → every default, in ms', () => {
    expect(resolveOptions({}, 'x')).toEqual({
      topology: { type: 'memory' },
      namespace: 'cache',
      ttlMs: 300_000,
      l1: { maxEntries: 10_000, ttlMs: Infinity },
      invalidation: { mode: 'pubsub' },
      isolation: 'freeze',
      ttlJitter: 0,
      cacheNull: true,
      graceMs: 0,
      staleWhileRevalidate: false,
      lease: { ttlMs: 3_000, waitTimeoutMs: 30_000, onWaitTimeout: 'load' },
      loaderTimeoutMs: 30_000,
      softTimeoutMs: Infinity,
      loaderConcurrency: Infinity,
      errorBackoffMs: 0,
      shutdownTimeoutMs: 5_000,
      timeouts: { connectMs: 2_000, readMs: 300, writeMs: 300 },
      failure: 'open',
      evictFailure: { calls: 'throw', decorators: 'queue' },
      serializer: 'json',
      compression: false,
      maxValueBytes: 1_048_576,
    });
  });

  it('T12 every option given → each in its own field, in ms', () => {
    const refreshAhead = { after: 0.25 };
    const given = {
      namespace: 'shop',
      ttl: '1s',
      ttlJitter: 0.1,
      negativeTtl: '2s',
      cacheNull: false,
      grace: '3s',
      staleWhileRevalidate: true,
      refreshAhead,
      lease: { ttl: '4s', waitTimeout: '5s', onWaitTimeout: 'throw' },
      loaderTimeout: '6s',
      softTimeout: '7s',
      loaderConcurrency: 8,
      errorBackoff: '9s',
      shutdownTimeout: '10s',
      l1: { maxEntries: 11, maxBytes: 12, ttl: '13s', isolation: 'clone' },
      invalidation: { mode: 'tracking' },
      timeouts: { connect: '14s', read: '15s', write: '16s' },
      failure: 'strict',
      evictFailure: 'queue',
      serializer: 'msgpack',
      compression: { threshold: 17, algorithm: 'brotli' },
      maxValueBytes: 18,
    };
    const options = resolveOptions(given, 'x');
    expect(options).toEqual({
      topology: { type: 'memory' },
      namespace: 'shop',
      ttlMs: 1_000,
      ttlJitter: 0.1,
      negativeTtlMs: 2_000,
      cacheNull: false,
      graceMs: 3_000,
      staleWhileRevalidate: true,
      refreshAhead: { after: 0.25 },
      lease: { ttlMs: 4_000, waitTimeoutMs: 5_000, onWaitTimeout: 'throw' },
      loaderTimeoutMs: 6_000,
      softTimeoutMs: 7_000,
      loaderConcurrency: 8,
      errorBackoffMs: 9_000,
      shutdownTimeoutMs: 10_000,
      l1: { maxEntries: 11, maxBytes: 12, ttlMs: 13_000 },
      invalidation: { mode: 'tracking' },
      isolation: 'clone',
      timeouts: { connectMs: 14_000, readMs: 15_000, writeMs: 16_000 },
      failure: 'strict',
      evictFailure: { calls: 'queue', decorators: 'queue' },
      serializer: 'msgpack',
      compression: { threshold: 17, algorithm: 'brotli' },
      maxValueBytes: 18,
    });
    refreshAhead.after = 0.5;
    expect(options.refreshAhead).toEqual({ after: 0.25 });
    expect(Object.isFrozen(options.refreshAhead)).toBe(true);
  });

  it('undefined fields → their defaults', () => {
    const given = { ttl: undefined, lease: undefined, timeouts: { read: undefined } };
    expect(resolveOptions(given, 'x')).toEqual(resolveOptions({}, 'x'));
  });

  it('an instance of the options class → as a literal', () => {
    const given = Object.assign(new RedisCacheOptions(), { ttl: '1h' });
    expect(resolveOptions(given, 'x')).toEqual(resolveOptions({ ttl: '1h' }, 'x'));
  });

  it('loaderTimeout → waitTimeout follows it, unless it is given too', () => {
    expect(resolveOptions({ loaderTimeout: '2s' }, 'x').lease.waitTimeoutMs).toBe(2_000);
    const both = { loaderTimeout: '2s', lease: { waitTimeout: '1s' } };
    expect(resolveOptions(both, 'x').lease.waitTimeoutMs).toBe(1_000);
  });

  it.each(['throw', 'queue'] as const)('evictFailure %s → for calls and decorators', (chosen) => {
    expect(resolveOptions({ evictFailure: chosen }, 'x').evictFailure).toEqual({
      calls: chosen,
      decorators: chosen,
    });
  });

  it("failure: 'strict' → evicts of decorators throw as calls do, unless evictFailure says otherwise", () => {
    const strict = { failure: 'strict' } as const;
    expect(resolveOptions(strict, 'x').evictFailure.decorators).toBe('throw');
    const queueing = { ...strict, evictFailure: 'queue' } as const;
    expect(resolveOptions(queueing, 'x').evictFailure.decorators).toBe('queue');
  });

  it('the result → frozen, and apart from what was given', () => {
    const given = { lease: { ttl: '1s' }, topology: { type: 'single', url: URL } };
    const options = resolveOptions(given, 'x');
    for (const part of [
      options,
      options.lease,
      options.timeouts,
      options.topology,
      options.evictFailure,
    ])
      expect(Object.isFrozen(part)).toBe(true);
    expect(Object.isFrozen(given.topology)).toBe(false);
    given.lease.ttl = '9s';
    expect(options.lease.ttlMs).toBe(1_000);
  });

  it('two calls → share no state', () => {
    expect(resolveOptions({}, 'x').lease).not.toBe(resolveOptions({}, 'x').lease);
    resolveOptions({ lease: { ttl: '1s' } }, 'x');
    expect(resolveOptions({}, 'x').lease.ttlMs).toBe(3_000);
  });
});

const DURATION_REJECTS = [
  0,
  -1,
  NaN,
  -Infinity,
  null,
  '',
  'soon',
  '5',
  '0s',
  true,
  {},
  [],
  new Date(),
];
const serializer = { serialize: () => Buffer.alloc(0), deserialize: () => null };
const client = new Redis({ lazyConnect: true });
const cluster = new Cluster([{ port: 1 }], { lazyConnect: true });
const prefixed = new Redis({ lazyConnect: true, keyPrefix: 'app:' });

interface Row {
  accepts: readonly unknown[];
  rejects: readonly unknown[];
  /** Part of the text that says what is accepted. */
  text: string;
}

const duration: Row = {
  accepts: [1, 0.5, 250, '250ms', '1h30m', '2d'],
  rejects: [...DURATION_REJECTS, Infinity],
  text: 'a positive number of milliseconds',
};

const rows: Record<string, Row> = {
  namespace: {
    accepts: ['a', 'App-1_x.y', 'x'.repeat(64)],
    rejects: ['', 'a:b', 'a b', 'ü', 'x'.repeat(65), 'a\n', 5, null, ['a']],
    text: '1 to 64 characters',
  },
  ttl: { ...duration, accepts: [...duration.accepts, Infinity], rejects: DURATION_REJECTS },
  ttlJitter: {
    accepts: [0, 0.1, 0.5],
    rejects: [-0.1, 0.51, NaN, Infinity, '0.1', null],
    text: 'a number from 0 to 0.5',
  },
  grace: { ...duration, rejects: [...duration.rejects, false, '50d'], text: 'from 1 to' },
  staleWhileRevalidate: { accepts: [true, false], rejects: [1, null], text: 'true or false' },
  refreshAhead: {
    accepts: [
      false,
      { after: 0.8 },
      { after: 1, beta: 0 },
      { after: 0.1, beta: 2.5, hits: 100 },
      { after: 1, beta: undefined },
    ],
    rejects: [
      true,
      null,
      0.8,
      [],
      {},
      { beta: 1 },
      { after: 0 },
      { after: 1.1 },
      { after: NaN },
      { after: '0.5' },
      { after: undefined },
      { after: 0.5, beta: -1 },
      { after: 0.5, beta: Infinity },
      { after: 0.5, hits: 0 },
      { after: 0.5, hits: 1.5 },
      { after: 0.5, before: 1 },
    ],
    text: 'false, or { after, beta?, hits? }',
  },
  softTimeout: duration,
  negativeTtl: duration,
  cacheNull: { accepts: [true, false], rejects: [0, 'false', null], text: 'true or false' },
  'lease.ttl': {
    accepts: [10, '3s', '10m'],
    rejects: [...DURATION_REJECTS, Infinity, 9, '11m'],
    text: 'from 10 to 600000 ms',
  },
  'lease.waitTimeout': duration,
  'lease.onWaitTimeout': {
    accepts: ['load', 'throw'],
    rejects: ['wait', true, null],
    text: "'load' or 'throw'",
  },
  'l1.maxEntries': {
    accepts: [1, 10_000_000],
    rejects: [0, -1, 1.5, NaN, Infinity, '5', null],
    text: 'a whole number from 1 to 10000000',
  },
  'l1.maxBytes': {
    accepts: [1, 2 ** 40],
    rejects: [0, -1, 1.5, NaN, Infinity, '5', null],
    text: 'a whole number from 1',
  },
  'l1.ttl': duration,
  'invalidation.mode': {
    accepts: ['pubsub', 'tracking'],
    rejects: ['', 'PUBSUB', 'push', true, null, ['tracking']],
    text: "'pubsub' or 'tracking'",
  },
  'l1.isolation': {
    accepts: ['freeze', 'clone', 'reference'],
    rejects: ['copy', true, null],
    text: "'freeze' or 'clone' or 'reference'",
  },
  loaderTimeout: duration,
  loaderConcurrency: {
    accepts: [1, 50, Infinity],
    rejects: [0, -1, 1.5, NaN, '5', null],
    text: 'a whole number from 1',
  },
  errorBackoff: duration,
  shutdownTimeout: duration,
  'timeouts.connect': duration,
  'timeouts.read': duration,
  'timeouts.write': duration,
  failure: {
    accepts: ['open', 'strict'],
    rejects: ['closed', false, null],
    text: "'open' or 'strict'",
  },
  evictFailure: {
    accepts: ['throw', 'queue'],
    rejects: ['ignore', false, null],
    text: "'throw' or 'queue'",
  },
  onError: { accepts: [() => undefined], rejects: ['log', {}, null], text: 'a function' },
  transaction: {
    accepts: [{ isActive: () => false, afterCommit: () => undefined }],
    rejects: ['typeorm', {}, null, { isActive: () => true }, { afterCommit: () => undefined }],
    text: 'an adapter with the methods isActive and afterCommit',
  },
  serializer: {
    accepts: ['json', 'msgpack', serializer, { ...serializer, name: 'v1' }],
    rejects: [
      'yaml',
      {},
      { serialize: () => Buffer.alloc(0) },
      { ...serializer, name: '' },
      { ...serializer, name: 'x'.repeat(65) },
      { ...serializer, name: 5 },
      null,
      () => null,
    ],
    text: "'json' or 'msgpack', or an object",
  },
  'compression.threshold': {
    accepts: [1, 1024, 2 ** 30],
    rejects: [0, -1, 1.5, NaN, Infinity, '1kb', null],
    text: 'a whole number from 1',
  },
  'compression.algorithm': {
    accepts: ['gzip', 'brotli', 'deflate'],
    rejects: ['zstd', 'GZIP', true, null],
    text: "'gzip' or 'brotli' or 'deflate'",
  },
  maxValueBytes: {
    accepts: [1, 1_048_576, 536_870_912],
    rejects: [0, 1.5, 536_870_913, Infinity, '1mb', null],
    text: 'a whole number from 1 to 536870912',
  },
  'topology.url': {
    accepts: [
      URL,
      'rediss://user:p%40ss@host:6380/3',
      'redis://[::1]:6379',
      'redis://host?family=6',
      'redis://host/',
      '/var/run/redis.sock',
      'unix:///var/run/redis.sock',
      'unix:///var/run/redis.sock?db=1',
    ],
    rejects: [
      '',
      'localhost:6379',
      'http://localhost',
      'redis://',
      'redis://host/one',
      'redis://:p%zz@host',
      'redis://u%zz:p@host',
      'redis://host?keyPrefix=a:',
      'redis://host?family=6&keyPrefix=a:',
      '/tmp/redis.sock?keyPrefix=a:',
      '//host',
      'unix://host',
      'unix://user:p@/tmp/redis.sock',
      6379,
      null,
      ['redis://host'],
    ],
    text: 'redis://',
  },
  'topology.redis': {
    accepts: [{}, { host: 'h', password: 'p' }, { sentinels: [{ host: 'h', port: 1 }], name: 'm' }],
    rejects: [null, 'redis', [], { keyPrefix: 'a:' }],
    text: 'without keyPrefix',
  },
  'topology.client': {
    accepts: [client, () => client],
    rejects: [null, URL, {}, { host: 'h' }, prefixed, cluster, [client]],
    text: 'an ioredis Redis client without keyPrefix',
  },
  'topology.connections': {
    accepts: [1, 32],
    rejects: [0, 33, 1.5, NaN, '2', null],
    text: 'a whole number from 1 to 32',
  },
};

describe.each(Object.entries(rows))(
  'T12 resolveOptions — %s',
  (path, { accepts, rejects, text }) => {
    it.each(accepts.map((value) => [value]))('%p → accepted', (value) => {
      expect(() => resolveOptions(optionsWith(path, value), 'x')).not.toThrow();
    });

    it.each(rejects.map((value) => [value]))('%p → one problem, at its path', (value) => {
      const found = problems(optionsWith(path, value));
      expect(found.map((problem) => problem.path)).toEqual([path]);
      expect(found[0]!.accepted).toContain(text);
    });
  },
);

it('C9 resolveOptions — l1: false → no copies; anything else that is no object → its path', () => {
  expect(resolveOptions({ l1: false }, 'x')).toMatchObject({ l1: false, isolation: 'freeze' });
  for (const l1 of [true, null, 5, 'off'])
    expect(problems({ l1 }).map(({ path }) => path)).toEqual(['l1']);
});

it('T12 resolveOptions — every option of the class → has a row above', () => {
  const { topology: _, compression, encryption, ...options } = new RedisCacheOptions();
  expect([compression, encryption]).toEqual([false, false]); // see payload-options.spec.ts
  const { lease, timeouts, l1, invalidation, ...plain } = options;
  const paths = [
    ...Object.keys(plain),
    ...Object.keys(lease!).map((name) => `lease.${name}`),
    ...Object.keys(timeouts!).map((name) => `timeouts.${name}`),
    ...Object.keys(invalidation!).map((name) => `invalidation.${name}`),
    ...Object.keys(l1 as object).map((name) => `l1.${name}`),
  ];
  expect(
    Object.keys(rows)
      .filter((path) => !/^(topology|compression)\./.test(path))
      .sort(),
  ).toEqual(paths.sort());
});

describe('T12 resolveOptions — topology', () => {
  it.each(['memory', null, 5, [], { type: 'ring' }, {}, { url: URL }])(
    '%p → refused',
    (topology) => {
      const [problem, ...others] = problems({ topology });
      expect(others).toEqual([]);
      expect(problem!.path).toMatch(/^topology(\.type)?$/);
      expect(problem!.accepted).toContain("'memory' or 'single' or 'sharded'");
    },
  );

  it.each([
    [{ url: URL, client }, 'url and client'],
    [{ redis: {}, client }, 'redis and client'],
    [{ url: URL, redis: {}, client }, 'url and redis and client'],
  ])('single with %p → which were given', (server, given) => {
    expect(problems({ topology: { type: 'single', ...server } })).toEqual([
      {
        path: 'topology',
        given,
        accepted: 'url and redis, or client, which has its options already',
      },
    ]);
  });

  it.each([
    [{}],
    [{ url: URL }],
    [{ redis: {} }],
    [{ url: URL, redis: { tls: {} } }],
    [{ url: undefined, redis: { host: 'h' } }],
    [{ client }],
  ])('single with %p → accepted', (server) => {
    expect(() => resolveOptions({ topology: { type: 'single', ...server } }, 'x')).not.toThrow();
  });

  it('a url that is there and undefined, as of a variable that is not set → refused', () => {
    const given = { topology: { type: 'single', url: undefined } };
    expect(problems(given)).toMatchObject([
      { path: 'topology.url', given: 'undefined', accepted: expect.stringMatching(/variable/) },
    ]);
  });

  it('several connections of one client → refused, of a function → accepted', () => {
    const topology = { type: 'single', client, connections: 2 };
    expect(problems({ topology }).map(({ path }) => path)).toEqual(['topology.connections']);
    expect(() =>
      resolveOptions({ topology: { ...topology, client: () => client } }, 'x'),
    ).not.toThrow();
  });

  it('an option of single beside memory → unknown there', () => {
    expect(problems({ topology: { type: 'memory', url: URL } })[0]).toMatchObject({
      path: 'topology.url',
      accepted: expect.stringContaining('not an option here'),
    });
  });

  it('single → client and options are passed on as they are', () => {
    const redis = { host: 'h', tls: {} };
    expect(resolveOptions({ topology: { type: 'single', redis } }, 'x').topology).toMatchObject({
      redis,
      connections: 1,
    });
    const given = resolveOptions({ topology: { type: 'single', client } }, 'x').topology;
    expect((given as { client: unknown }).client).toBe(client);
  });
});

describe('T12 resolveOptions — sharded', () => {
  const A = 'redis://a:6379';
  const B = 'redis://b:6379';
  const sharded = (shards: unknown, others: object = {}): object => ({
    topology: { type: 'sharded', shards, ...others },
  });
  const found = (given: unknown): [string, string][] =>
    problems(given).map(({ path, accepted }) => [path, accepted]);

  it('URLs and objects → objects with the defaults; the rest as given', () => {
    const redis = { tls: {} };
    const shards = [A, { url: B, name: 'two', weight: 2.5, redis }];
    expect(resolveOptions(sharded(shards), 'x').topology).toEqual({
      type: 'sharded',
      shards: [
        { url: A, weight: 1 },
        { url: B, name: 'two', weight: 2.5, redis },
      ],
      previousShards: [],
      connections: 1,
    });
    expect(shards[0]).toBe(A);
  });

  it.each([
    [[A]],
    [[A, B]],
    [
      [
        { url: A, name: 'b:6379' },
        { url: B, name: 'a:6379' },
      ],
    ],
    [['redis://a:1', 'redis://a:2', 'rediss://[::1]:6379', '/tmp/a.sock', 'unix:///tmp/b.sock']],
    [[`${A}/0`, { url: `${A}/1`, name: 'one' }]],
    [[A, { url: A, name: 'one', redis: { db: 1 } }]],
    [
      [
        { url: A, weight: 0.01 },
        { url: B, weight: 10_000 },
      ],
    ],
    [
      ['x', 'y'].map((name) => ({
        url: 'redis://sentinel',
        name,
        redis: { sentinels: [{ host: 's', port: 26379 }], name },
      })),
    ],
  ])('%j → accepted, as shards and as previousShards', (shards) => {
    expect(() => resolveOptions(sharded(shards), 'x')).not.toThrow();
    expect(() => resolveOptions(sharded([A], { previousShards: shards }), 'x')).not.toThrow();
  });

  it.each<[unknown, string, string]>([
    [undefined, 'topology.shards', '1 to 256 shards'],
    [[], 'topology.shards', '1 to 256 shards'],
    [null, 'topology.shards', 'an array of shards'],
    [A, 'topology.shards', 'an array of shards'],
    [{ url: A }, 'topology.shards', 'an array of shards'],
    [[A, null], 'topology.shards[1]', 'a URL, or an object of url'],
    [[A, undefined], 'topology.shards[1]', 'a URL, or an object of url'],
    [[A, 5], 'topology.shards[1]', 'a URL, or an object of url'],
    [[A, [B]], 'topology.shards[1]', 'a URL, or an object of url'],
    [[A, { name: 'b' }], 'topology.shards[1]', 'of which url is needed'],
    [[A, ''], 'topology.shards[1].url', 'redis://'],
    [[A, 'b:6379'], 'topology.shards[1].url', 'redis://'],
    [[A, { url: 5 }], 'topology.shards[1].url', 'redis://'],
    [[A, { url: `${B}?keyPrefix=x:` }], 'topology.shards[1].url', 'no keyPrefix'],
    [[A, { url: B, name: '' }], 'topology.shards[1].name', '1 to 255 visible characters'],
    [[A, { url: B, name: 'x'.repeat(256) }], 'topology.shards[1].name', '1 to 255 visible'],
    [[A, { url: B, name: 'b b' }], 'topology.shards[1].name', '1 to 255 visible characters'],
    [[A, { url: B, name: 'ü' }], 'topology.shards[1].name', '1 to 255 visible characters'],
    [[A, { url: B, name: 7 }], 'topology.shards[1].name', '1 to 255 visible characters'],
    ...[0, -1, NaN, Infinity, '1', null, 0.009, 10_001].map((weight): [unknown, string, string] => [
      [{ url: A, weight }],
      'topology.shards[0].weight',
      'a number from 0.01 to 10000',
    ]),
    [[A, { url: B, redis: { keyPrefix: 'x:' } }], 'topology.shards[1].redis', 'without keyPrefix'],
    [[A, { url: B, wieght: 2 }], 'topology.shards[1].wieght', 'did you mean weight?'],
    [[A, A], 'topology.shards[1]', 'a name of its own'],
    [['redis://a', 'REDISS://A:6379/0'], 'topology.shards[1]', 'a name of its own'],
    [[`${A}/0`, `${A}/1`], 'topology.shards[1]', 'a name of its own'],
    [[A, { url: B, name: 'a:6379' }], 'topology.shards[1]', 'a name of its own'],
    [[{ url: A, name: 'x' }, B, { url: B, name: 'x' }], 'topology.shards[2]', 'a name of its own'],
    [
      [
        { url: A, name: 'x' },
        { url: 'redis://u:p@a', name: 'y' },
      ],
      'topology.shards[1]',
      'another',
    ],
    [['/tmp/a', { url: 'unix:///tmp/a', name: 'y' }], 'topology.shards[1]', 'another server'],
    [['/tmp/a', '/tmp/b', { url: '/tmp/a', name: 'y' }], 'topology.shards[2]', 'another server'],
  ])('T2 shards %p → refused at %s', (shards, path, accepted) => {
    expect(found(sharded(shards))).toEqual([[path, expect.stringContaining(accepted)]]);
  });

  it('T2 256 shards → accepted, 257 → refused', () => {
    const urls = Array.from({ length: 257 }, (_, i) => `redis://h${i}`);
    expect(() => resolveOptions(sharded(urls.slice(1)), 'x')).not.toThrow();
    expect(found(sharded(urls))).toEqual([['topology.shards', '1 to 256 shards']]);
  });

  it('T2 the same in previousShards → refused there; none, and those of shards → accepted', () => {
    const previousShards = [A, { url: B, weight: 0 }, A];
    expect(found(sharded([A, B], { previousShards })).map(([path]) => path)).toEqual([
      'topology.previousShards[1].weight',
      'topology.previousShards[2]',
    ]);
    for (const accepted of [[], undefined, [A, B]])
      expect(() =>
        resolveOptions(sharded([A, B], { previousShards: accepted }), 'x'),
      ).not.toThrow();
  });

  it('the problem of a name says who has it', () => {
    expect(problems(sharded([A, B, 'redis://u:hunter2@a']))).toEqual([
      {
        path: 'topology.shards[2]',
        given: "the name 'a:6379', as topology.shards[0]",
        accepted: 'a name of its own; without one it is host and port of the url',
      },
    ]);
  });

  it('T12 everything wrong at once → one error with all of it, and no secret', () => {
    const error = failure({
      topology: {
        type: 'sharded',
        url: 'redis://:hunter2@a',
        connections: 33,
        shards: [
          'redis://u:hunter2@a',
          'redis://u:hunter2@a/x',
          { url: 'redis://:hunter2@a', weight: 'heavy', redis: { keyPrefix: 'hunter2' } },
          { url: 'redis://c', password: 'hunter2', name: 'redis://:hunter2@c d' },
          ['hunter2'],
        ],
        previousShards: { password: 'hunter2' },
      },
    });
    expect(error.problems.map(({ path }) => path).sort()).toEqual([
      'topology.connections',
      'topology.previousShards',
      'topology.shards[1]',
      'topology.shards[1].url',
      'topology.shards[2]',
      'topology.shards[2].redis',
      'topology.shards[2].weight',
      'topology.shards[3].name',
      'topology.shards[3].password',
      'topology.shards[4]',
      'topology.url',
    ]);
    expect(JSON.stringify(error) + error.message).not.toContain('hunter2');
  });
});

describe('T12 resolveOptions — unknown fields', () => {
  it.each([
    [{ tll: 5 }, 'tll', 'did you mean ttl?'],
    [{ TTL: 5 }, 'TTL', 'did you mean ttl?'],
    [{ lease: { waitTimout: 5 } }, 'lease.waitTimout', 'did you mean waitTimeout?'],
    [{ timeouts: { command: 5 } }, 'timeouts.command', 'where there are connect, read, write'],
    [{ name: 'reports' }, 'name', 'an argument of forRootAsync'],
    [{ isGlobal: true }, 'isGlobal', 'an argument of forRootAsync'],
    [
      { topology: { type: 'memory', name: 'x' } },
      'topology.name',
      'an option here, where there are type',
    ],
    [{ l2: false }, 'l2', 'an option here, where there are'],
    [{ graceful: '1m' }, 'graceful', 'an option here, where there are'],
    [{ constructor: 1 }, 'constructor', 'not an option here'],
    [{ toString: 1 }, 'toString', 'not an option here'],
    [JSON.parse('{"__proto__": {"ttl": 5}}'), '__proto__', 'not an option here'],
  ])('%p → its path, and what was meant', (given, path, text) => {
    const [problem, ...others] = problems(given);
    expect(others).toEqual([]);
    expect(problem!.path).toBe(path);
    expect(problem!.accepted).toContain(text);
  });
});

describe('T12 resolveOptions — the error', () => {
  it.each([undefined, null, 'redis://localhost', 5, [], () => ({})])(
    '%p as options → refused',
    (given) => {
      expect(problems(given)).toEqual([
        expect.objectContaining({
          path: 'options',
          accepted: expect.stringContaining('an object'),
        }),
      ]);
    },
  );

  it.each([null, 5, 'x', []])('%p as lease → one problem, not one per field', (lease) => {
    expect(problems({ lease })).toEqual([
      expect.objectContaining({
        path: 'lease',
        accepted: 'an object of ttl, waitTimeout, onWaitTimeout',
      }),
    ]);
  });

  it('every wrong field at once → all are listed, each with its path', () => {
    const wrong: Record<string, unknown> = { nonsense: 1 };
    for (const [path, { rejects }] of Object.entries(rows)) {
      const [first, second] = path.split('.') as [string, string?];
      if (!second) wrong[first] = rejects[0];
      else wrong[first] = { ...(wrong[first] as object), [second]: rejects[0] };
    }
    wrong.topology = { ...(wrong.topology as object), type: 'single' };

    const error = failure(wrong);

    const expected = [...Object.keys(rows), 'nonsense', 'topology'];
    expect(error.problems.map(({ path }) => path).sort()).toEqual(expected.sort());
    expect(error.message.split('\n')).toHaveLength(expected.length + 1);
    expect(error.message).toMatch(/^Wrong options for RedisCacheModule:\n/);
    expect(isCacheError(error) && error.code).toBe('ERR_CACHE_OPTIONS');
    for (const { given, accepted } of error.problems) {
      expect(given).not.toBe('');
      expect(accepted).not.toMatch(/should not exist|must be|\$/);
    }
  });

  it('wrong options → no secret in text or fields', () => {
    const error = failure({
      password: 'hunter2',
      topology: {
        type: 'single',
        url: 'redis://user:hunter2@host/nonsense',
        redis: { keyPrefix: 'a:', password: 'hunter2' },
        client: { password: 'hunter2' },
        password: 'hunter2',
        sentinelPassword: 'hunter2',
        tls: { key: 'hunter2' },
      },
      namespace: 'redis://:hunter2@host',
      failure: ['hunter2'],
    });
    expect(error.problems.length).toBeGreaterThanOrEqual(8);
    expect(JSON.stringify(error) + error.message + error.stack).not.toContain('hunter2');
  });
});
