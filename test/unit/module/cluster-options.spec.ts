import { describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { CacheOptionsError, type OptionProblem } from '../../../lib/common/errors.js';
import { resolveOptions } from '../../../lib/module/resolve-options.js';

const cluster = (options: object): object => ({ topology: { type: 'cluster', ...options } });
const NODES = ['10.0.0.1:7000'];

function problems(options: object): OptionProblem[] {
  try {
    resolveOptions(cluster(options), 'x');
    return [];
  } catch (error) {
    return [...(error as CacheOptionsError).problems];
  }
}

describe('T12 resolveOptions — cluster', () => {
  it.each<[string, unknown]>([
    ['host and port', '10.0.0.1:7000'],
    ['a name', 'node-1.cache.internal'],
    ['IPv6', '[::1]:7000'],
    ['a URL', 'redis://user:p%40ss@node-1:7000'],
    ['a URL with database 0', 'redis://node-1/0'],
    ['TLS', 'rediss://node-1'],
    ['TLS in capitals', 'REDISS://node-1'],
    ['an object', { host: 'node-1', port: 7000 }],
    ['the last port', { host: 'node-1', port: 65_535 }],
  ])('%s as a node → accepted', (_, node) => {
    expect(problems({ nodes: [node] })).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['nothing', ''],
    ['no host', ':7000'],
    ['no host in a URL', 'redis://'],
    ['a port out of range', 'node-1:70000'],
    ['port 0', 'node-1:0'],
    ['a port beyond the last', { host: 'node-1', port: 65_536 }],
    ['an empty host', { host: '', port: 7000 }],
    ['another database', 'redis://node-1/2'],
    ['another scheme', 'http://node-1:7000'],
    ['a socket', '/tmp/redis.sock'],
    ['parameters', 'redis://node-1?keyPrefix=x'],
    ['a number', 7000],
    ['null', null],
    ['no port', { host: 'node-1' }],
    ['a port as text', { host: 'node-1', port: '7000' }],
    ['a list', ['node-1']],
  ])('%s as a node → refused, with its place', (_, node) => {
    const [problem, ...others] = problems({ nodes: [NODES[0], node] });
    expect(others).toEqual([]);
    expect(problem).toMatchObject({
      path: 'topology.nodes[1]',
      accepted: expect.stringContaining("'host:port'"),
    });
  });

  it('null as nodes → refused', () => {
    expect(problems({ nodes: null })).toContainEqual(
      expect.objectContaining({ path: 'topology.nodes' }),
    );
  });

  it.each([{}, { nodes: [] }, { nodes: undefined }])('%p → refused: no node', (options) => {
    expect(problems(options)).toEqual([
      { path: 'topology.nodes', given: 'none', accepted: 'at least one node, or a client' },
    ]);
  });

  it.each<[string, object, string]>([
    ['nodes of another type', { nodes: 'node-1' }, 'topology.nodes'],
    ['an unknown field', { nodes: NODES, redis: {} }, 'topology.redis'],
    ['no options', { nodes: NODES, cluster: 5 }, 'topology.cluster'],
    [
      'replica reads',
      { nodes: NODES, cluster: { scaleReads: 'all' } },
      'topology.cluster.scaleReads',
    ],
    [
      'auto-pipelining',
      { nodes: NODES, cluster: { enableAutoPipelining: true } },
      'topology.cluster.enableAutoPipelining',
    ],
    ['a keyPrefix', { nodes: NODES, cluster: { keyPrefix: 'x' } }, 'topology.cluster.keyPrefix'],
    [
      'a keyPrefix of the connections',
      { nodes: NODES, cluster: { redisOptions: { keyPrefix: 'x' } } },
      'topology.cluster.redisOptions.keyPrefix',
    ],
  ])('%s → refused', (_, options, path) => {
    expect(problems(options).map((problem) => problem.path)).toEqual([path]);
  });

  it('options of the client → passed on as they are', () => {
    const given = { natMap: {}, redisOptions: { tls: {} }, maxRedirections: 3 };
    const { topology } = resolveOptions(cluster({ nodes: NODES, cluster: given }), 'x');
    expect(topology).toEqual({ type: 'cluster', nodes: NODES, cluster: given });
  });

  describe('a client of the application', () => {
    const lazy = { lazyConnect: true };

    it('T6 a Cluster or a function, with nodes or without → accepted', () => {
      const client = new Cluster([{ port: 1 }], lazy);
      expect(problems({ client })).toEqual([]);
      expect(problems({ nodes: NODES, client: () => client })).toEqual([]);
    });

    it('T6 options beside it → refused', () => {
      const client = new Cluster([{ port: 1 }], lazy);
      expect(problems({ client, cluster: {} })).toMatchObject([{ given: 'cluster and client' }]);
    });

    it('T6 a Redis → refused', () => {
      expect(problems({ client: new Redis(lazy) })).toMatchObject([{ path: 'topology.client' }]);
    });

    it('T6 a Cluster that reads from replicas → refused', () => {
      const client = new Cluster([{ port: 1 }], { ...lazy, scaleReads: 'slave' });
      expect(problems({ client })).toMatchObject([
        { path: 'topology.client.options.scaleReads', given: "'slave'" },
      ]);
    });
  });

  it('wrong nodes and options → no secret in the error', () => {
    const nodes = ['redis://user:hunter2@node-1/7', 'redis://:hunter2@', 'hunter2@:99999999'];
    const options = {
      nodes,
      cluster: { keyPrefix: 'hunter2', redisOptions: { password: 'hunter2' } },
    };
    const found = problems(options);
    expect(found).toHaveLength(4);
    expect(JSON.stringify(found)).not.toContain('hunter2');
  });
});
