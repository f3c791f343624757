import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { crc32 } from 'node:zlib';
import { ALGORITHMS } from '../../../lib/codec/compression.js';
import { readRecord, writeBody, type EntryHeader } from '../../../lib/codec/envelope.js';

const ID = '0123456789abcdefghij';

const PLAIN: EntryHeader = {
  kind: 'value',
  isNull: false,
  serializer: 'json',
  graceMs: 0,
  c0: 0,
  topologyId: 0,
};

const FULL: EntryHeader = {
  ...PLAIN,
  serializer: 'custom',
  graceMs: 2 ** 32 - 1,
  version: 'v2',
  costMs: 12.5,
  tags: ['a', '', 'ü'],
  digestOf: '"key"',
  keyId: 'k1',
};

const recordOf = (header: EntryHeader, payload: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from(`V${ID}`), writeBody(header, Buffer.from(payload))]);

/** The record with its checksum made to fit, as somebody might write it who knows the format but not this version. */
function resealed(record: Buffer): Buffer {
  const end = record.length - 4;
  record.writeUInt32BE(crc32(record.subarray(32, end), crc32(record.subarray(21, 24))), end);
  return record;
}

/** Type and id, then fmt and flags, softAt, graceMs, c0, topologyId. */
const HEAD = Buffer.from(`V${ID}`).toString('hex');
const GOLDEN: [string, EntryHeader, string, string][] = [
  [
    'a value',
    PLAIN,
    '{"a":1}',
    '010000 0000000000000000 00000000 0000000000000000 00000000 7b2261223a317d 83866b74',
  ],
  [
    'null',
    { ...PLAIN, isNull: true, c0: 1.7e15 },
    '',
    '010004 0000000000000000 00000000 4318289060790000 00000000 122e1a2f',
  ],
  [
    'an HTTP response',
    { ...PLAIN, kind: 'http', serializer: 'none', graceMs: 60_000, topologyId: 7 },
    'HTTP',
    '010011 0000000000000000 0000ea60 0000000000000000 00000007 48545450 27a400b8',
  ],
  [
    'a counter, without checksum',
    { ...PLAIN, kind: 'counter', serializer: 'none' },
    '-42',
    '010012 0000000000000000 00000000 0000000000000000 00000000 2d3432 00000000',
  ],
  [
    'all optional fields',
    FULL,
    'x',
    `0107c8 0000000000000000 ffffffff 0000000000000000 00000000
     00000002 7632 00000008 4029000000000000 00000006 01 61 00 02 c3bc
     00000005 226b657922 00000002 6b31 78 729f8ff9`,
  ],
  [
    'MessagePack, compressed',
    { ...PLAIN, serializer: 'msgpack', compressed: { algorithm: 'brotli', from: 2048 } },
    'x',
    '012018 0000000000000000 00000000 0000000000000000 00000000 00000005 0100000800 78 0bb396c9',
  ],
  [
    'by a serializer given with the call',
    { ...PLAIN, serializer: 'call', serializerName: 'proto' },
    'x',
    '014020 0000000000000000 00000000 0000000000000000 00000000 00000005 70726f746f 78 efcb359e',
  ],
];

describe('writeBody and readRecord', () => {
  it.each(GOLDEN)('S3 %s → exactly these bytes, and back', (_, header, payload, hex) => {
    const bytes = Buffer.from(HEAD + hex.replace(/\s/g, ''), 'hex');
    expect(recordOf(header, payload).toString('hex')).toBe(bytes.toString('hex'));
    expect(readRecord(bytes)).toEqual({
      type: 'value',
      id: ID,
      softAt: 0,
      header,
      payload: Buffer.from(payload),
    });
  });

  it('without optional fields → 52 bytes more than the payload', () => {
    expect(recordOf(PLAIN, 'x'.repeat(10))).toHaveLength(62);
  });

  it('S3 G4 tags of as many bytes as one byte can say, and one more or less → back as written', () => {
    const tags = [254, 255, 256].map((length) => 'x'.repeat(length));
    expect(readRecord(recordOf({ ...PLAIN, tags }, 'x'))).toMatchObject({ header: { tags } });
  });

  it('softAt written by the store → read, and no part of the checksum', () => {
    const bytes = recordOf(PLAIN, 'x');
    bytes.writeDoubleBE(1_700_000_000_000.5, 24);
    expect(readRecord(bytes)).toMatchObject({ type: 'value', softAt: 1_700_000_000_000.5 });
  });

  it('payload of a counter rewritten by a script → read', () => {
    const bytes = recordOf({ ...PLAIN, kind: 'counter' }, '1');
    const longer = Buffer.concat([bytes.subarray(0, 48), Buffer.from('1234'), Buffer.alloc(4)]);
    expect(readRecord(longer)).toMatchObject({ type: 'value', payload: Buffer.from('1234') });
  });

  it('grace over 2^32 - 1 ms → as long as the field can say', () => {
    const bytes = recordOf({ ...PLAIN, graceMs: Infinity }, '');
    expect(readRecord(bytes)).toMatchObject({ header: { graceMs: 2 ** 32 - 1 } });
  });

  it('any header and payload → back as written', () => {
    const headers = fc.record(
      {
        kind: fc.constantFrom('value' as const, 'http' as const, 'counter' as const),
        isNull: fc.boolean(),
        serializer: fc.constantFrom('json', 'custom', 'none', 'msgpack', 'call'),
        graceMs: fc.nat(),
        c0: fc.double({ noNaN: true }),
        topologyId: fc.nat(),
        version: fc.string({ unit: 'grapheme' }),
        costMs: fc.double({ noNaN: true }),
        tags: fc.array(fc.string({ unit: 'grapheme', maxLength: 300, size: 'max' }), {
          maxLength: 5,
        }),
        digestOf: fc.string({ unit: 'grapheme' }),
        keyId: fc.string(),
        lifeMs: fc.double({ noNaN: true }),
        sliding: fc.constant(true as const),
        compressed: fc.record({ algorithm: fc.constantFrom(...ALGORITHMS), from: fc.nat() }),
        serializerName: fc.string(),
      },
      { requiredKeys: ['kind', 'isNull', 'serializer', 'graceMs', 'c0', 'topologyId'] },
    );
    fc.assert(
      fc.property(headers, fc.uint8Array(), (header, payload) => {
        const record = readRecord(recordOf(header, Buffer.from(payload)));
        expect(record).toEqual({
          type: 'value',
          id: ID,
          softAt: 0,
          header: { ...header },
          payload: Buffer.from(payload),
        });
      }),
    );
  });
});

describe('readRecord', () => {
  it('lease and barrier → type and id, whatever follows', () => {
    expect(readRecord(Buffer.from(`L${ID}`))).toEqual({ type: 'lease', id: ID });
    expect(readRecord(Buffer.from(`L${ID},abc,def`))).toEqual({ type: 'lease', id: ID });
    const dots = '.'.repeat(20);
    expect(readRecord(Buffer.from(`B${dots}0,w`))).toEqual({ type: 'barrier', id: dots });
  });

  it.each([
    '',
    'V',
    'hello',
    'Lorem ipsum dolor sit amet',
    `L${ID}x`,
    `B${ID}0,w`,
    `B${'.'.repeat(20)}`,
    `v${ID}`,
    `L${ID.slice(1)}`,
    `{"a":"${ID}${ID}${ID}"}`,
  ])('S5 %p → foreign, without an id', (text) => {
    expect(readRecord(Buffer.from(text))).toEqual({ type: 'foreign', id: '' });
  });

  it('row 16 value whose id is no text of ours → foreign, without an id that nobody could reject it by', () => {
    for (const byte of [0, 0x2d, 0x80, 0xe9, 0xff])
      expect(readRecord(recordOf(PLAIN, '1').fill(byte, 5, 6))).toEqual({
        type: 'foreign',
        id: '',
      });
  });

  it.each<[string, (record: Buffer) => Buffer]>([
    ['nothing behind the id', (record) => record.subarray(0, 21)],
    ['no checksum', (record) => record.subarray(0, 51)],
    ['another fmt', (record) => (record.fill(2, 21, 22), resealed(record))],
    ['a flag of a later version', (record) => (record.fill(0x80, 22, 23), resealed(record))],
    ['an unknown kind', (record) => (record.fill(0b11, 23, 24), resealed(record))],
    ['an unknown serializer', (record) => (record.fill(0b111000, 23, 24), resealed(record))],
    ['a field longer than the record', (record) => (record.fill(0x40, 23, 24), resealed(record))],
    ['softAt NaN', (record) => record.fill(0xff, 24, 32)],
    ['softAt Infinity', (record) => (record.writeDoubleBE(Infinity, 24), record)],
    ['a negative softAt', (record) => record.fill(0xbf, 24, 32)],
  ])('S5 value with %s → foreign, with the id to reject it by', (_, damage) => {
    expect(readRecord(damage(recordOf(PLAIN, '{"a":1}')))).toEqual({ type: 'foreign', id: ID });
  });

  it.each<[string, number, number, number?]>([
    ['costMs of 7 bytes', 1 << 7, 7],
    ['costMs of 9 bytes', 1 << 7, 9, 0],
    ['sliding of a byte', 1 << 12, 1],
    ['a tag longer than the field', 1 << 8, 4],
    ['half a length of a tag', 1 << 8, 3],
    ['compressed of an unknown algorithm', 1 << 13, 5],
    ['compressed of 4 bytes', 1 << 13, 4],
    ['a short tag longer than the field', 1 << 8, 2, 7],
    ['compressed of 6 bytes', 1 << 13, 6, 0],
  ])('S5 %s → foreign', (_, flag, length, byte = 0xff) => {
    const field = Buffer.alloc(4 + length, byte);
    field.writeUInt32BE(length);
    const record = recordOf(PLAIN, field);
    record.writeUInt16BE(flag, 22);
    expect(readRecord(resealed(record))).toEqual({ type: 'foreign', id: ID });
  });

  it('row 16 every bit flipped, one at a time → foreign, or only type, id or softAt differ', () => {
    const original = recordOf(FULL, '{"a":[1,2,3]}');
    const intact = readRecord(original);
    let harmless = 0;
    for (let bit = 0; bit < original.length * 8; bit++) {
      const flipped = Buffer.from(original);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const record = readRecord(flipped);
      if (record.type !== 'value') continue;
      harmless++;
      expect(record).toEqual({ ...intact, id: record.id, softAt: record.softAt });
      expect([bit >> 3 < 21, bit >> 3 >= 24 && bit >> 3 < 32]).toContain(true);
    }
    expect(harmless).toBeLessThanOrEqual(28 * 8);
  });

  it('row 16 every truncation, and bytes put behind → foreign', () => {
    const original = recordOf(FULL, '{"a":[1,2,3]}');
    for (let length = 0; length < original.length; length++)
      expect(readRecord(original.subarray(0, length)).type).toBe('foreign');
    for (let more = 1; more < 100; more++)
      expect(readRecord(Buffer.concat([original, Buffer.alloc(more)])).type).toBe('foreign');
  });

  it('row 16 random bytes behind a good head, also with a good checksum → never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 31, maxLength: 200 }), fc.boolean(), (rest, seal) => {
        const bytes = Buffer.concat([Buffer.from(`V${ID}`), rest]);
        bytes[21] = 1;
        bytes[22]! &= 0b111;
        const record = readRecord(seal ? resealed(bytes) : bytes);
        expect(['value', 'foreign']).toContain(record.type);
        expect(record.id).toBe(ID);
      }),
      { numRuns: 5000 },
    );
  });
});
