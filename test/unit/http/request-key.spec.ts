import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'node:querystring';
import { lookupIn } from '../../../lib/http/lookup.js';
import { sortQuery, varied } from '../../../lib/http/request-key.js';
import type { HttpRequest } from '../../../lib/http/http-exchange.js';
import { encodeKey, type Key } from '../../../lib/keys/encode-key.js';

describe('sortQuery', () => {
  it.each([
    ['', ''],
    ['b=2&a=1', 'a=1&b=2'],
    ['a=2&a=1', 'a=2&a=1'],
    ['b=1&a=2&b=0&a=1', 'a=2&a=1&b=1&b=0'],
    ['&a=1&&b=2&', 'a=1&b=2'],
    ['b&a', 'a&b'],
    ['b=%20&a=+', 'a=+&b=%20'],
  ])('P1 %s → %s', (query, sorted) => {
    expect(sortQuery(query)).toBe(sorted);
  });

  it.each([
    'a=1&%61=2',
    '%61=2&a=1',
    'a=1&a[]=2',
    'a[]=2&a=1',
    'a%5B%5D=2&a=1',
    'a.b=1&a=2',
    '=1&=0',
    '=0&=1',
  ])('P1 %s, which a parser may see as one parameter → keeps its order', (query) => {
    expect(sortQuery(query)).toBe(query);
  });

  it('P1 more pairs than are sorted → as they are', () => {
    const query = Array.from({ length: 101 }, (_, i) => `p${101 - i}`).join('&');
    expect(sortQuery(query)).toBe(query);
  });

  it('P1 any two queries of one sorted form → parsed alike', () => {
    const pair = fc.tuple(
      fc.constantFrom('a', '%61', 'b', 'a[]', ''),
      fc.constantFrom('1', '2', ''),
    );
    const pairs = fc.array(pair, { maxLength: 6 });
    const shuffled = pairs.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
    );
    const text = (all: readonly (readonly [string, string])[]): string =>
      all.map(([name, value]) => `${name}=${value}`).join('&');
    let met = 0;
    fc.assert(
      fc.property(shuffled, ([one, other]) => {
        if (sortQuery(text(one)) !== sortQuery(text(other))) return;
        met += 1;
        expect({ ...parse(text(one)) }).toEqual({ ...parse(text(other)) });
      }),
      { numRuns: 2000 },
    );
    expect(met).toBeGreaterThan(100);
  });
});

describe('varied', () => {
  it.each<[Key, Key, Key]>([
    ['k', 'v', ['k', 'v']],
    [['k', 1], 'v', ['k', 1, 'v']],
    ['k', ['v', true], ['k', 'v', true, 2]],
  ])('P2 %j by %j → %j', (key, vary, expected) => {
    expect(varied(key, vary)).toEqual(expected);
  });

  it('P2 two keys and what they vary by → never one entry', () => {
    const part = fc.constantFrom('a', 'b', 1, 2);
    const parts = fc.array(part, { minLength: 1, maxLength: 3 });
    const vary = fc.oneof(fc.constantFrom('a', 'b'), parts);
    fc.assert(
      fc.property(parts, vary, parts, vary, (key, by, otherKey, otherBy) => {
        const same = JSON.stringify([key, by]) === JSON.stringify([otherKey, otherBy]);
        const text = encodeKey(varied(key, by)).text;
        expect(text === encodeKey(varied(otherKey, otherBy)).text).toBe(same);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('lookupIn', () => {
  const request = {
    params: { id: '7' },
    query: { page: ['1', '2'] },
    body: { user: { id: 5n } },
    headers: { 'accept-language': 'de' },
    user: Object.create({ id: 'by getter' }) as object,
  } as unknown as HttpRequest;

  it.each([
    ['params.id', '7'],
    ['query.page', ['1', '2']],
    ['query.none', undefined],
    ['body.user.id', 5n],
    ['body.user.id.deeper', undefined],
    ['body.none.id', undefined],
    ['headers.Accept-Language', 'de'],
    ['user.id', 'by getter'],
    ['result.id', 9],
    ['params.id.length', undefined],
  ])('%s → its value', (path, value) => {
    expect(lookupIn(request, { id: 9 })(path.split('.'))).toEqual(value);
  });

  it('a request without user and body → undefined', () => {
    const bare = { headers: {} } as HttpRequest;
    for (const path of ['user.id', 'body.id', 'params.id', 'result.id'])
      expect(lookupIn(bare)(path.split('.'))).toBeUndefined();
  });
});
