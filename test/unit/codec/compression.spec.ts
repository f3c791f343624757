import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { Codec, type CodecOptions } from '../../../lib/codec/codec.js';
import { ALGORITHMS, type Algorithm } from '../../../lib/codec/compression.js';
import { readRecord } from '../../../lib/codec/envelope.js';
import { codecOf, FACTS, KEY, recordOf, sealed, type ValueRecord } from './records.js';

const MAX = 200_000;
const compressing = (algorithm: Algorithm, options: Partial<CodecOptions> = {}): Codec =>
  codecOf({ compression: { threshold: 1024, algorithm }, maxValueBytes: MAX, ...options });
const plain = codecOf({ maxValueBytes: MAX });

const read = async (codec: Codec, record: ValueRecord): Promise<unknown> =>
  codec.decode(await codec.open(record, KEY));

/** Compressible text of so many bytes. */
const text = (bytes: number): string => 'all the same '.repeat(bytes).slice(0, bytes);

describe.each(ALGORITHMS)('compression by %s', (algorithm) => {
  const codec = compressing(algorithm);

  it.each([1022, 30_000, 32 * 1024 - 2, 32 * 1024 - 1, 150_000])(
    'S4 text of %d bytes → stored smaller, and read by who compresses and who does not',
    async (bytes) => {
      const record = await sealed(codec, text(bytes));
      expect(record.header.compressed).toEqual({ algorithm, from: bytes + 2 });
      expect(record.payload.length).toBeLessThan((bytes + 2) / 5);
      for (const reader of [codec, plain, compressing('gzip')])
        expect(await read(reader, record)).toBe(text(bytes));
    },
  );

  it('S4 below the threshold, null, and what does not get smaller → as it is', async () => {
    const binary = compressing(algorithm, { serializer: 'msgpack' });
    for (const value of [text(1020), null, 5, randomBytes(2000), randomBytes(40_000)]) {
      const record = await sealed(binary, value);
      expect(record.header.compressed).toBeUndefined();
      expect(await read(plain, record)).toEqual(value);
    }
  });

  it('S4 an HTTP response → compressed likewise', async () => {
    const bytes = Buffer.from(text(5000));
    const entry = codec.encodeBytes(bytes, { ...FACTS, kind: 'http' });
    const record = recordOf(await codec.seal(entry, KEY));
    expect(record.payload.length).toBeLessThan(1000);
    expect((await plain.open(record, KEY)).payload).toEqual(bytes);
  });

  it.each([5_000, 100_000])(
    'S5 row 16 %d bytes, 1 000 times damaged → a miss or the very value',
    async (bytes) => {
      const value = text(bytes);
      const record = await sealed(codec, value);
      let missed = 0;
      for (let run = 0; run < 1000; run++) {
        const payload = Buffer.from(
          record.payload.subarray(0, run % 3 ? undefined : run % record.payload.length),
        );
        for (let i = 0; i <= run % 4 && payload.length > 0; i++)
          payload[Math.floor(Math.random() * payload.length)]! ^= 1 << (run & 7);
        // As if the checksum fitted: what the algorithm itself does not notice is read.
        const outcome = await read(plain, { ...record, payload }).catch((error) => error.code);
        if (outcome === 'ERR_CACHE_SERIALIZATION') missed++;
        else expect(typeof outcome).toBe('string');
        if (algorithm !== 'brotli') expect([value, 'ERR_CACHE_SERIALIZATION']).toContain(outcome);
      }
      expect(missed).toBeGreaterThan(algorithm === 'brotli' ? 300 : 900);
    },
  );

  it.each([10_000, 100_000])(
    'S5 more or fewer bytes than the %d that the entry says → a miss',
    async (bytes) => {
      const record = await sealed(codec, text(bytes));
      for (const from of [0, 1, bytes - 1, bytes + 1, bytes + 3, MAX]) {
        const header = { ...record.header, compressed: { algorithm, from } };
        await expect(read(plain, { ...record, header })).rejects.toMatchObject({
          code: 'ERR_CACHE_SERIALIZATION',
        });
      }
    },
  );
});

describe('a bound on what is decompressed', () => {
  it('S4 S5 256 MiB of zeros, said to be little → a miss after as many bytes as were said', async () => {
    const record = await sealed(compressing('gzip'), text(100_000));
    const bomb = { ...record, payload: gzipSync(Buffer.alloc(2 ** 28), { level: 1 }) };
    const before = process.memoryUsage().rss;
    await expect(read(plain, bomb)).rejects.toThrow('decompression threw');
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 26);
  });

  it('S4 S5 entry that says more than maxValueBytes → refused before it is decompressed', async () => {
    const record = await sealed(compressing('gzip'), text(100_000));
    const small = codecOf({ maxValueBytes: 50_000 });
    expect(() => small.open(record, KEY)).toThrow('more than the 50000');
  });

  it('row 17 maxValueBytes → counts before compression', () => {
    const codec = compressing('gzip', { maxValueBytes: 5000 });
    expect(() => codec.encode(text(5000), FACTS)).toThrow('more than the 5000');
  });
});

describe('damage on the way', () => {
  it('row 16 every bit of a compressed record flipped → foreign, or only what scripts write differs', async () => {
    const codec = compressing('deflate');
    const body = await codec.seal(codec.encode(text(2000), FACTS), KEY);
    const original = Buffer.concat([Buffer.from(`V${'0'.repeat(20)}`), body]);
    for (let bit = 0; bit < original.length * 8; bit++) {
      const flipped = Buffer.from(original);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const record = readRecord(flipped);
      if (record.type === 'value') expect(await read(codec, record)).toBe(text(2000));
    }
  });
});
