import { describe, expect, it } from '@jest/globals';
import {
  decodeResponse,
  encodeResponse,
  valueOf,
  type StoredResponse,
} from '../../../lib/http/stored-response.js';

const response = (body: string | undefined): StoredResponse => ({
  status: 201,
  headers: { link: ['<a>', '<b>'], etag: '"x"' },
  storedAtMs: 1_700_000_000_000,
  body: body === undefined ? undefined : Buffer.from(body),
});

/** Written by version 1; must be read as long as that version is. */
const GOLDEN =
  '01000000397b22737461747573223a3230302c2268656164657273223a7b7d2c2273746f72656441744d73223a312c22686173426f6479223a747275657d7b2261223a317d';

describe('stored response', () => {
  it.each([['{"a":"ü"}'], ['null'], ['""'], [undefined]])('P4 body %s → comes back', (body) => {
    const stored = decodeResponse(encodeResponse(response(body)));
    expect(stored).toEqual({ ...response(body), date: 'Tue, 14 Nov 2023 22:13:20 GMT' });
    expect(valueOf(stored!)).toEqual({ value: body === undefined ? undefined : JSON.parse(body) });
  });

  it('golden bytes → what they say', () => {
    const stored = decodeResponse(Buffer.from(GOLDEN, 'hex'))!;
    expect(stored).toEqual({
      status: 200,
      headers: {},
      storedAtMs: 1,
      date: 'Thu, 01 Jan 1970 00:00:00 GMT',
      body: Buffer.from('{"a":1}'),
    });
    expect(encodeResponse(stored).toString('hex')).toBe(GOLDEN);
  });

  it('a prefix, another version, another head → undefined', () => {
    const bytes = encodeResponse(response('{"a":1}'));
    const headEnd = 5 + bytes.readUInt32BE(1);
    for (let length = 0; length < headEnd; length++)
      expect(decodeResponse(bytes.subarray(0, length))).toBeUndefined();
    expect(decodeResponse(Buffer.concat([Buffer.from([2]), bytes.subarray(1)]))).toBeUndefined();
    for (const head of [
      'null',
      '7',
      '{}',
      '{"status":"200","headers":{},"storedAtMs":1,"hasBody":true}',
      '{"status":200,"headers":null,"storedAtMs":1,"hasBody":true}',
    ]) {
      const start = Buffer.from([1, 0, 0, 0, head.length]);
      expect(decodeResponse(Buffer.concat([start, Buffer.from(head)]))).toBeUndefined();
    }
  });

  it('a body that is no JSON → no value', () => {
    const bytes = encodeResponse(response('{"a":1}'));
    expect(valueOf(decodeResponse(bytes.subarray(0, bytes.length - 1))!)).toBeUndefined();
  });
});
