import { describe, expect, it } from '@jest/globals';
import { forbiddenBy, parseCacheControl, sharedMaxAge } from '../../../lib/http/cache-control.js';
import { cacheStatus, xCache, type CacheOutcome } from '../../../lib/http/cache-status.js';
import { ifNoneMatch, strongEtag } from '../../../lib/http/etag.js';

describe('parseCacheControl', () => {
  it.each([
    [undefined, {}],
    ['', {}],
    ['no-store', { 'no-store': '' }],
    ['Public, MAX-AGE=60', { public: '', 'max-age': '60' }],
    ['private="x-a, no-store", max-age="5"', { private: 'x-a, no-store', 'max-age': '5' }],
    [' ,, s-maxage = 10 ;', { 's-maxage': '10' }],
    ['a="\\"no-store", b', { a: '\\"no-store', b: '' }],
  ])('%s → its directives', (header, directives) => {
    expect(Object.fromEntries(parseCacheControl(header))).toEqual(directives);
  });
});

describe('forbiddenBy', () => {
  it.each([
    ['public, max-age=60', undefined],
    ['max-age=0', undefined],
    ['s-maxage=1', undefined],
    ['x="no-store"', undefined],
    ['no-store', 'no-store'],
    ['PRIVATE', 'private'],
    ['private="x"', 'private'],
    ['no-cache', 'no-cache'],
    ['s-maxage=0', 's-maxage'],
    ['s-maxage=-1', 's-maxage'],
  ])('%s → %s', (header, refusal) => {
    expect(forbiddenBy(parseCacheControl(header))).toBe(refusal);
  });
});

describe('sharedMaxAge', () => {
  it.each([
    ['max-age=5', undefined],
    ['s-maxage=10', 10],
    ['s-maxage="10"', 10],
    ['s-maxage=soon', 0],
    ['s-maxage', 0],
  ])('%s → %s', (header, seconds) => {
    expect(sharedMaxAge(parseCacheControl(header))).toBe(seconds);
  });
});

describe('cacheStatus', () => {
  it.each<[CacheOutcome, string, string]>([
    [{ kind: 'hit', ttlMs: 1999 }, 'HIT', 'hit; ttl=1'],
    [{ kind: 'hit', ttlMs: Infinity }, 'HIT', 'hit'],
    [{ kind: 'hit' }, 'HIT', 'hit'],
    [{ kind: 'miss', stored: true }, 'MISS', 'fwd=miss; stored'],
    [{ kind: 'miss', stored: false }, 'MISS', 'fwd=miss'],
    [{ kind: 'miss', stored: false, detail: 'vary' }, 'MISS', 'fwd=miss; detail=vary'],
    [{ kind: 'collapsed' }, 'MISS', 'fwd=miss; collapsed'],
    [{ kind: 'bypass', why: 'method' }, 'BYPASS', 'fwd=method'],
    [{ kind: 'bypass', why: 'bypass', detail: 'cookie' }, 'BYPASS', 'fwd=bypass; detail=cookie'],
  ])('P5 %j → %s', (outcome, short, parameters) => {
    expect(cacheStatus(outcome)).toBe(`nestjs-redis-cache; ${parameters}`);
    expect(xCache(outcome)).toBe(short);
  });
});

describe('strongEtag', () => {
  it('P5 equal bytes → equal tags; one byte more → another', () => {
    expect(strongEtag(Buffer.from('{}'))).toBe(strongEtag(Buffer.from('{}')));
    expect(strongEtag(Buffer.from('{}'))).not.toBe(strongEtag(Buffer.from('{} ')));
    expect(strongEtag(Buffer.from(''))).toMatch(/^"[\w-]{27}"$/);
  });
});

describe('ifNoneMatch', () => {
  it.each([
    [undefined, false],
    ['', false],
    ['"a"', true],
    ['W/"a"', true],
    ['"b" , W/"a"', true],
    ['"b,\\"a"', false],
    ['"x,", "a"', true],
    ['a', false],
    ['"A"', false],
    ['"aa"', false],
    [' * ', true],
    ['"*"', false],
  ])('P5 %s against "a" → %s', (header, expected) => {
    expect(ifNoneMatch(header, '"a"')).toBe(expected);
    expect(ifNoneMatch(header, 'W/"a"')).toBe(expected);
  });
});
