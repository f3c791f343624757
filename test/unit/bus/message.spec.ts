import { describe, expect, it } from '@jest/globals';
import { decodeMessage, encodeMessage, type Message } from '../../../lib/bus/message.js';

const origin = { instance: 'me', link: 2, sequence: 3 };

describe('a message', () => {
  it.each<[string, Message]>([
    ['a number alone', { origin }],
    ['keys', { origin, invalidation: { reason: 'set', keys: ['shop:kü', ''] } }],
    ['no key', { origin, invalidation: { reason: 'evict', keys: [] } }],
    [
      'tags',
      { origin, invalidation: { reason: 'evict', path: 'shop/eu', tags: ['a'], version: 0.5 } },
    ],
    ['a namespace', { origin, invalidation: { reason: 'clear', path: 'shop', version: 7 } }],
    [
      'the first of a connection',
      { origin: { ...origin, link: 0, sequence: 0 }, invalidation: undefined },
    ],
  ])('I1 of %s → read as it was written', (_, message) => {
    expect(decodeMessage(Buffer.from(encodeMessage(message)))).toEqual(message);
  });

  it.each<[string, unknown]>([
    ['no array', { 0: 1 }],
    ['nothing', null],
    ['another format', [2, 'x', 0, 1]],
    ['an instance that is no text', [1, 5, 0, 1]],
    ['a connection before the first', [1, 'x', -1, 1]],
    ['a number of text', [1, 'x', 0, '1']],
    ['a broken number', [1, 'x', 0, 1.5]],
    ['a number too large to be counted on from', [1, 'x', 0, 2 ** 53]],
    ['too little', [1, 'x', 0]],
    ['a reason that there is not', [1, 'x', 0, 1, 'expired', ['shop:ka']]],
    ['a reason that nobody sends', [1, 'x', 0, 1, 'disconnect', ['shop:ka']]],
    ['a key that is no text', [1, 'x', 0, 1, 'evict', ['shop:ka', 5]]],
    ['neither keys nor a namespace', [1, 'x', 0, 1, 'evict', 5, null, 1]],
    ['a namespace without a version', [1, 'x', 0, 1, 'clear', 'shop', null]],
    ['a version of text', [1, 'x', 0, 1, 'clear', 'shop', null, '5']],
    ['the version of a table that has none', [1, 'x', 0, 1, 'clear', 'shop', null, 0]],
    ['tags that are no list', [1, 'x', 0, 1, 'evict', 'shop', 'a', 1]],
    ['a tag that is no text', [1, 'x', 0, 1, 'evict', 'shop', [5], 1]],
  ])('I4 of %s → not understood', (_, fields) => {
    expect(decodeMessage(Buffer.from(JSON.stringify(fields)))).toBeUndefined();
  });

  it('I4 of a version that no entry can have → not understood', () => {
    const text = '[1,"x",0,1,"clear","shop",null,1e300]';
    expect(decodeMessage(Buffer.from(text))).toBeDefined();
    expect(decodeMessage(Buffer.from(text.replace('1e300', '1e999')))).toBeUndefined();
  });

  it('I4 that is no JSON, or larger than any of ours → not understood', () => {
    const large = encodeMessage({
      origin,
      invalidation: { reason: 'evict', keys: ['x'.repeat(65_536)] },
    });
    for (const text of ['', '{', large]) expect(decodeMessage(Buffer.from(text))).toBeUndefined();
  });
});
