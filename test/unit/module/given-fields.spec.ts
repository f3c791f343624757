import { describe, expect, it } from '@jest/globals';
import { runInNewContext } from 'node:vm';
import { CacheOptionsError, type OptionProblem } from '../../../lib/common/errors.js';
import { resolveOptions } from '../../../lib/module/resolve-options.js';

function problems(given: unknown): readonly OptionProblem[] {
  try {
    resolveOptions(given, 'RedisCacheModule');
  } catch (error) {
    if (error instanceof CacheOptionsError) return error.problems;
    throw error;
  }
  return [];
}

class Timeouts {
  get read(): number {
    return 7;
  }
}
class Ahead {
  get after(): number {
    return 0.5;
  }
}
class Credentials {
  get password(): string {
    return 'p';
  }
}
class Server {
  readonly type = 'single';
  get url(): string {
    return 'redis://h';
  }
  get redis(): object {
    return new Credentials();
  }
}
class Base {
  get failure(): string {
    return 'strict';
  }
  get ttl(): string {
    return '1h';
  }
}
class Config extends Base {
  override get ttl(): string {
    return '2h';
  }
  readonly timeouts = new Timeouts();
  get topology(): object {
    return new Server();
  }
  get refreshAhead(): object {
    return new Ahead();
  }
  onError(): unknown {
    return this.ttl;
  }
  /** No option, but of use to itself. */
  describe(): string {
    return this.ttl;
  }
}

describe('T12 resolveOptions — an instance of a class of the application', () => {
  it('getters, inherited and nested, and methods → as fields of a literal', () => {
    const options = resolveOptions(new Config(), 'x');
    expect(options).toMatchObject({
      ttlMs: 7_200_000,
      failure: 'strict',
      timeouts: { readMs: 7, writeMs: 300 },
      refreshAhead: { after: 0.5 },
      topology: { type: 'single', url: 'redis://h', redis: { password: 'p' } },
    });
    expect((options.onError as () => unknown)()).toBe('2h');
  });

  it('shards, nested → likewise', () => {
    const topology = { type: 'sharded', shards: [new Server()] };
    expect(problems({ topology }).map(({ path }) => path)).toEqual(['topology.shards[0].type']);
    const { url, redis } = new Server();
    const shards = [Object.create({ url, redis })];
    expect(resolveOptions({ topology: { type: 'sharded', shards } }, 'x').topology).toMatchObject({
      shards: [{ url, redis: { password: 'p' } }],
    });
  });

  it('a wrong getter, a field that is no option → their paths', () => {
    class Wrong extends Config {
      readonly tll = '1h';
      override get failure(): string {
        return 'closed';
      }
    }
    expect(problems(new Wrong())).toMatchObject([
      { path: 'tll', accepted: expect.stringContaining('did you mean ttl?') },
      { path: 'failure', given: "'closed'" },
    ]);
  });

  it('getters and methods of the class that are no options → its own affair', () => {
    class Helped extends Config {
      get isProduction(): never {
        throw new Error('NODE_ENV is not set');
      }
      emit(): void {}
    }
    Object.defineProperty(Helped.prototype, 'emit', { enumerable: true });
    expect(resolveOptions(new Helped(), 'x').ttlMs).toBe(7_200_000);
  });

  it('methods of what the client is given → have their object', () => {
    class Client {
      readonly waitMs = 7;
      retryStrategy(): number {
        return this.waitMs;
      }
    }
    const { topology } = resolveOptions({ topology: { type: 'single', redis: new Client() } }, 'x');
    const { retryStrategy } = (topology as unknown as { redis: { retryStrategy: () => number } })
      .redis;
    expect(retryStrategy()).toBe(7);
  });

  it('a getter of what a Cluster is given → looked at, as a field is', () => {
    class Options {
      get scaleReads(): string {
        return 'slave';
      }
    }
    const topology = { type: 'cluster', nodes: [{ host: 'h', port: 1 }], cluster: new Options() };
    expect(problems({ topology }).map(({ path }) => path)).toEqual(['topology.cluster.scaleReads']);
    const cluster: unknown = Object.create({ slotsRefreshTimeout: 7 });
    const resolved = resolveOptions({ topology: { ...topology, cluster } }, 'x').topology;
    expect(Object.keys((resolved as { cluster: object }).cluster)).toEqual(['slotsRefreshTimeout']);
  });

  it('a getter of which there is an inherited one → asked once', () => {
    let asked = 0;
    class Counting extends Base {
      override get ttl(): string {
        return `${++asked}h`;
      }
    }
    expect(resolveOptions(new Counting(), 'x').ttlMs).toBe(3_600_000);
  });

  it('objects of another realm → their own fields, and nothing that every object has', () => {
    const redis: unknown = runInNewContext(`({ host: 'h' })`);
    const { topology } = resolveOptions({ topology: { type: 'single', redis } }, 'x');
    expect((topology as { redis: object }).redis).toEqual({ host: 'h' });
  });

  it('an object that has its fields from elsewhere, as a Proxy → accepted', () => {
    const fields: Record<string, unknown> = { ttl: '2h' };
    const given = new Proxy(fields, {});
    expect(resolveOptions(given, 'x').ttlMs).toBe(7_200_000);
  });

  it('a getter that throws → its error', () => {
    const given = {
      get ttl(): never {
        throw new Error('CACHE_TTL is not set');
      },
    };
    expect(() => resolveOptions(given, 'x')).toThrow('CACHE_TTL is not set');
  });
});

describe('T12 resolveOptions — objects that say nothing by fields', () => {
  const things: [given: string, value: unknown][] = [
    ['a promise; forgot an await?', Promise.resolve({})],
    ['an instance of Map', new Map()],
    ['an instance of Set', new Set()],
    ['an instance of Date', new Date()],
    ['an instance of RegExp', /x/],
    ['an instance of Error', new Error('x')],
    ['an instance of URL', new URL('redis://h')],
    ['an instance of Buffer', Buffer.alloc(1)],
  ];

  it.each(things)('%s → refused, wherever an object is expected', (given, value) => {
    expect(problems(value)).toMatchObject([{ path: 'options', given }]);
    for (const path of ['l1', 'lease', 'timeouts', 'invalidation', 'topology', 'compression'])
      expect(problems({ [path]: value })).toMatchObject([{ path, given }]);
    expect(problems({ topology: { type: 'single', redis: value } })).toMatchObject([
      { path: 'topology.redis', given },
    ]);
  });

  it('the namespace of a module, an object without a prototype → accepted', () => {
    const module = { [Symbol.toStringTag]: 'Module', ttl: '1h' };
    const bare = Object.assign(Object.create(null), { ttl: '1h' });
    for (const given of [module, bare]) expect(resolveOptions(given, 'x').ttlMs).toBe(3_600_000);
  });
});
