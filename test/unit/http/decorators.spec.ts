import { describe, expect, it } from '@jest/globals';
import { CacheOptionsError } from '../../../lib/common/errors.js';
import { CacheEvict } from '../../../lib/decorators/cache-evict.decorator.js';
import { Cacheable } from '../../../lib/decorators/cacheable.decorator.js';
import { cacheableRoute, cacheEvictRoutes } from '../../../lib/http/http.options.js';

/** What decorating a method says, as `path: given`. */
function problemsOf(decorator: () => MethodDecorator): { message: string; problems: string[] } {
  try {
    class CatsController {
      find() {}
    }
    const descriptor = Object.getOwnPropertyDescriptor(CatsController.prototype, 'find')!;
    decorator()(CatsController.prototype, 'find', descriptor);
    return { message: '', problems: [] };
  } catch (error) {
    if (!(error instanceof CacheOptionsError)) throw error;
    const problems = error.problems.map(({ path, given }) => `${path}: ${given}`);
    return { message: error.message, problems };
  }
}

describe('@Cacheable', () => {
  it('P1 wrong options → one CacheOptionsError with all of them, class and method', () => {
    const options: any = {
      key: 'user:{parms.id}',
      ttl: 0,
      negativeTtl: 'soon',
      cacheNull: 1,
      condition: true,
      unless: true,
      args: [0, -1],
      namespace: 'a/b',
      cache: '',
      waitTimeout: Infinity,
      tll: 5,
      http: { shared: 'yes', varyBy: 'x', headers: ['Set-Cookie'], cacheControl: 'a\r\nb', age: 1 },
    };
    const { message, problems } = problemsOf(() => Cacheable(options));
    expect(message).toMatch(/^Wrong options for @Cacheable on CatsController\.find:\n/);
    expect(new Set(problems.map((problem) => problem.split(':')[0]))).toEqual(
      new Set([
        'key',
        'ttl',
        'negativeTtl',
        'cacheNull',
        'condition',
        'unless',
        'args',
        'namespace',
        'cache',
        'waitTimeout',
        'tll',
        'http.shared',
        'http.varyBy',
        'http.headers',
        'http.cacheControl',
        'http.age',
      ]),
    );
  });

  it.each<[unknown, string]>([
    ['', 'nothing'],
    ['user:{params.id', 'a lone {'],
    ['{params}', 'the placeholder {params}'],
    ['{result.id}', 'the placeholder {result.id}'],
    ['{args.id}', 'the placeholder {args.id}'],
    ['{0.id}:{params.id}', 'the placeholders {0…}, {params…}'],
    [[], 'The key is an empty array'],
    [['a', NaN], 'Part 1 of the key is NaN'],
    [['a', '{parms.id}'], 'the placeholder {parms.id}'],
    [7, '7'],
  ])('P1 key %j → CacheOptionsError', (key, given) => {
    const { problems } = problemsOf(() => Cacheable({ key: key as string }));
    expect(problems).toEqual([expect.stringContaining(`key: ${given}`)]);
  });

  it.each<[unknown, string[]]>([
    ['', ['tags: ""']],
    [[], ['tags: []']],
    [['a', 7], ['tags: ["a",7]']],
    [['{result.id}', '{id}'], ["tags[1]: the placeholder {id} in '{id}'"]],
    ['a{', ["tags: a lone { in 'a{'"]],
    [['a', '{0.id}:{user.id}'], ['tags[1]: the placeholders {0…}, {user…}']],
  ])('G4 tags %j → CacheOptionsError', (tags, given) => {
    expect(problemsOf(() => Cacheable({ tags: tags as string })).problems).toEqual(given);
  });

  it.each([null, 5, 'user'])('P1 options are %j → CacheOptionsError', (options) => {
    expect(problemsOf(() => Cacheable(options as never)).problems).toEqual([
      expect.stringMatching(/^options: /),
    ]);
  });

  it('P1 twice on one method → CacheOptionsError', () => {
    const twice = (): MethodDecorator => (target, name, descriptor) => {
      Cacheable()(target, name, descriptor);
      Cacheable()(target, name, descriptor);
    };
    expect(problemsOf(twice).problems).toEqual(['@Cacheable: a second time']);
  });

  it('right options → the metadata of the method, which runs as ever where Nest has not built its class', () => {
    class CatsController {
      @Cacheable({ ttl: '1m', http: { headers: ['X-Total'] } })
      find() {
        return 1;
      }
    }
    const route = cacheableRoute.get(CatsController.prototype.find)!;
    expect(route).toMatchObject({
      where: '@Cacheable on CatsController.find',
      cache: 'default',
      load: { ttlMs: 60_000 },
      http: { headers: ['x-total'] },
    });
    expect(new CatsController().find()).toBe(1);
  });
});

describe('@CacheEvict', () => {
  it.each<[any, string[]]>([
    [{}, ['key: none of them']],
    [undefined, ['options: undefined', 'key: none of them']],
    [{ key: 'a', keys: ['b'] }, ['key: key and keys']],
    [{ tags: 'a', pattern: 'b', all: true }, ['tags: tags and pattern and all']],
    [{ all: false }, ['all: false']],
    [{ keys: [] }, ['keys: []']],
    [{ keys: ['a', 7, '{x.y}'] }, ['keys[1]: 7', "keys[2]: the placeholder {x.y} in '{x.y}'"]],
    [{ key: 7 }, ['key: 7']],
    [{ tags: [] }, ['tags: []']],
    [{ tags: 7 }, ['tags: 7']],
    [{ tags: 'b'.repeat(257) }, [`tags: "${'b'.repeat(40)}"`]],
    [{ tags: ['a', ''] }, ['tags: ["a",""]']],
    [
      { tags: ['a', '{x.y}', 'b{'] },
      ["tags[1]: the placeholder {x.y} in '{x.y}'", "tags[2]: a lone { in 'b{'"],
    ],
    [
      { tags: '{result.id}', when: 'before' },
      ["tags: the placeholder {result.id} in '{result.id}'"],
    ],
    [{ pattern: 7 }, ['pattern: 7']],
    [{ pattern: '' }, ["pattern: nothing in ''"]],
    [{ pattern: 'a:{x.y}' }, ["pattern: the placeholder {x.y} in 'a:{x.y}'"]],
    [
      { pattern: '[{params.id}]' },
      ["pattern: a [ that no ] closes; in brackets \\- is a minus and \\] a bracket in '['"],
    ],
    [{ pattern: 'a\\{params.id}' }, ["pattern: a backslash at the end in 'a\\'"]],
    [{ pattern: 'a\0{params.id}' }, ['pattern: a NUL character']],
    [{ pattern: '{0}:{params.id}' }, ['pattern: the placeholders {0…}, {params…}']],
    [{ key: 'a', when: 'later' }, ['when: "later"']],
    [{ key: 'a', when: 'before', afterCommit: true }, ['afterCommit: true']],
    [{ key: 'a', afterCommit: 'yes' }, ['afterCommit: "yes"']],
    [{ key: 'a', condition: true }, ['condition: true']],
    [{ key: '{result.id}', when: 'before' }, ["key: the placeholder {result.id} in '{result.id}'"]],
  ])('P9 %j → %j', (options, problems) => {
    expect(problemsOf(() => CacheEvict(options)).problems).toEqual(problems);
  });

  it('P9 several on one method → all, in the order written', () => {
    class CatsController {
      @CacheEvict({ key: 'a' })
      @CacheEvict({ tags: 'b', cache: 'reports', when: 'before' })
      @CacheEvict({ pattern: 'c*' })
      @CacheEvict({ all: true })
      change() {}
    }
    const routes = cacheEvictRoutes.get(CatsController.prototype.change)!;
    expect(routes.map(({ target, cache, when }) => [target.kind, cache, when])).toEqual([
      ['keys', 'default', 'after'],
      ['tags', 'reports', 'before'],
      ['patterns', 'default', 'after'],
      ['all', 'default', 'after'],
    ]);
  });
});
