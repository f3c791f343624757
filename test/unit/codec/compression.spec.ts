import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { types } from 'node:util';
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';
import { Codec, type CodecOptions } from '../../../lib/codec/codec.js';
import { ALGORITHMS, type Algorithm } from '../../../lib/codec/compression.js';
import { readRecord, writeBody } from '../../../lib/codec/envelope.js';
import { CacheSerializationError } from '../../../lib/common/errors.js';
import { codecOf, FACTS, HEAD, KEY, recordOf, sealed, type ValueRecord } from './records.js';

const MAX = 200_000;
const compressing = (algorithm: Algorithm, options: Partial<CodecOptions> = {}): Codec =>
  codecOf({ compression: { threshold: 1024, algorithm }, maxValueBytes: MAX, ...options });
const plain = codecOf({ maxValueBytes: MAX });

const read = async (codec: Codec, record: ValueRecord): Promise<unknown> =>
  codec.decode(await codec.open(record, KEY));

const MISS = 'a miss';

/** What a reader makes of these bytes. */
async function readBytes(codec: Codec, bytes: Buffer): Promise<unknown> {
  const record = readRecord(bytes);
  if (record.type !== 'value') return MISS;
  return read(codec, record).catch((error) =>
    error instanceof CacheSerializationError ? MISS : error,
  );
}

/** A copy, cut or with some of its bits flipped. */
function damaged(original: Buffer, run: number): Buffer {
  if (run % 3 === 0) return original.subarray(0, run % original.length);
  const bytes = Buffer.from(original);
  for (let i = 0; i <= run % 4; i++)
    bytes[Math.floor(Math.random() * bytes.length)]! ^= 1 << (run & 7);
  return bytes;
}

/** Compressible text of so many bytes. */
const text = (bytes: number): string => 'all the same '.repeat(bytes / 13 + 1).slice(0, bytes);

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

  it('S4 up to 32 KiB → in this thread, and read at once; larger → neither holds the event loop', async () => {
    for (const [bytes, isAside] of [
      [32 * 1024 - 2, false],
      [32 * 1024 - 1, true],
    ] as const) {
      let isSealed = false;
      const record = sealed(codec, text(bytes)).finally(() => (isSealed = true));
      // What a thread of the pool has done is heard of in a later turn of the event loop.
      for (let i = 0; i < 20; i++) await Promise.resolve();
      expect(isSealed).toBe(!isAside);
      expect(types.isPromise(plain.open(await record, KEY))).toBe(isAside);
    }
  });

  it('S4 an HTTP response → compressed likewise', async () => {
    const bytes = Buffer.from(text(5000));
    const entry = codec.encodeBytes(bytes, FACTS);
    const record = recordOf(await codec.seal(entry, KEY));
    expect(record.payload.length).toBeLessThan(1000);
    expect((await plain.open(record, KEY)).payload).toEqual(bytes);
  });

  it.each([5_000, 100_000])(
    'S5 row 16 record of %d bytes, 1 000 times damaged → a miss or the very value, nothing else thrown',
    async (bytes) => {
      const body = await codec.seal(codec.encode(text(bytes), FACTS), KEY);
      const original = Buffer.concat([HEAD, body]);
      const outcomes = { missed: 0, read: 0, other: 0 };
      for (let run = 0; run < 1000; run++) {
        const outcome = await readBytes(plain, damaged(original, run));
        outcomes[outcome === text(bytes) ? 'read' : outcome === MISS ? 'missed' : 'other']++;
      }
      expect(outcomes.other).toBe(0);
      expect(outcomes.missed).toBeGreaterThan(800);
    },
  );

  it('S5 payload of any bytes under a checksum that fits, 1 000 times → a miss, nothing else thrown', async () => {
    const { header } = await sealed(codec, text(5000));
    const outcomes = new Set<unknown>();
    for (let run = 0; run < 1000; run++) {
      const body = writeBody(header, randomBytes(run % 200));
      outcomes.add(await readBytes(plain, Buffer.concat([HEAD, body])));
    }
    expect([...outcomes]).toEqual([MISS]);
  });

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

describe('the levels', () => {
  /** Numbers, of which each level makes something else. */
  const NUMBERS = Array.from({ length: 4_000 }, (_, i) => (i * i) % 977).join();
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };

  it.each<[Algorithm, (bytes: string) => Buffer]>([
    ['gzip', (bytes) => gzipSync(bytes, { level: 3 })],
    ['brotli', (bytes) => brotliCompressSync(bytes, quality)],
    ['deflate', (bytes) => deflateSync(bytes, { level: 3 })],
  ])(
    'S4 %s → one that takes milliseconds for 1 MiB, in this thread and beside it',
    async (algorithm, packed) => {
      for (const value of [NUMBERS, NUMBERS.repeat(4)])
        expect((await sealed(compressing(algorithm), value)).payload).toEqual(packed(`"${value}"`));
    },
  );
});

describe('a bound on what is decompressed', () => {
  it.each([10_000, 100_000])(
    'S4 S5 256 MiB of zeros, said to be %d bytes → a miss after as many as were said',
    async (bytes) => {
      const record = await sealed(compressing('gzip'), text(bytes));
      const bomb = { ...record, payload: gzipSync(Buffer.alloc(2 ** 28), { level: 1 }) };
      const before = process.memoryUsage().rss;
      await expect(read(plain, bomb)).rejects.toThrow('decompression threw');
      expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 26);
    },
  );

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
