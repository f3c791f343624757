import { describe, expect, it } from '@jest/globals';
import { createCipheriv, createHmac, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import type { Codec, CodecOptions } from '../../../lib/codec/codec.js';
import { keyOfSecret } from '../../../lib/codec/encryption.js';
import { writeBody, type EntryHeader } from '../../../lib/codec/envelope.js';
import { codecOf, FACTS, KEY, recordOf, sealed, type ValueRecord } from './records.js';

const SECRETS = { old: Buffer.alloc(32, 1), new: Buffer.alloc(32, 2), other: Buffer.alloc(32, 3) };
type Id = keyof typeof SECRETS;

const encrypting = (
  ids: Id[],
  options: Partial<CodecOptions> & { unencrypted?: 'miss' | 'counters' | 'read' } = {},
): Codec => {
  const keys = ids.map((id) => ({ id, key: keyOfSecret(SECRETS[id])! }));
  const { unencrypted = 'miss', ...rest } = options;
  return codecOf({ encryption: { keys, unencrypted }, maxValueBytes: 100_000, ...rest });
};

const read = async (codec: Codec, record: ValueRecord, key = KEY): Promise<unknown> =>
  codec.decode(await codec.open(record, key));

const MISS = { code: 'ERR_CACHE_SERIALIZATION' };
const codec = encrypting(['old']);

describe('encryption', () => {
  it.each<[string, unknown]>([
    ['object', { secret: 'hunter2', at: new Date(0) }],
    ['null', null],
    ['text', 'hunter2'.repeat(1000)],
  ])('S8 %s → the same again, and nothing of it in the bytes', async (_, value) => {
    const record = await sealed(codec, value);
    expect(record.header.keyId).toBe('old');
    expect(record.payload.includes('hunter2')).toBe(false);
    expect(await read(codec, record)).toStrictEqual(value);
  });

  it('row 17 S8 payload of maxValueBytes → read again; one more under a smaller bound → not', async () => {
    const record = await sealed(encrypting(['old'], { maxValueBytes: 100 }), 'x'.repeat(98));
    expect(await read(encrypting(['old'], { maxValueBytes: 100 }), record)).toBe('x'.repeat(98));
    expect(() => encrypting(['old'], { maxValueBytes: 99 }).open(record, KEY)).toThrow('100 bytes');
  });

  it('S8 an HTTP response → encrypted likewise', async () => {
    const bytes = Buffer.from('hunter2');
    const entry = codec.encodeBytes(bytes, FACTS);
    const record = recordOf(await codec.seal(entry, KEY));
    expect(record.payload.includes('hunter2')).toBe(false);
    expect((await codec.open(record, KEY)).payload).toEqual(bytes);
  });

  it('S8 one value twice → no two bytes in common but by chance', async () => {
    const [first, second] = [await sealed(codec, 'x'), await sealed(codec, 'x')];
    expect(first.payload).not.toEqual(second.payload);
    expect(first.payload.subarray(0, 12)).not.toEqual(second.payload.subarray(0, 12));
  });

  it('S4 S8 with compression → compressed before it is encrypted', async () => {
    const both = encrypting(['old'], { compression: { threshold: 100, algorithm: 'gzip' } });
    const value = 'all the same '.repeat(1000);
    const record = await sealed(both, value);
    expect(record.payload.length).toBeLessThan(1000);
    expect(await read(codec, record)).toBe(value);
  });

  it('S3 S8 the format → AES-256-GCM over nonce, ciphertext, tag, by a key for each Redis key', async () => {
    const header: EntryHeader = {
      ...FACTS,
      kind: 'value',
      isNull: false,
      serializer: 'json',
      keyId: 'old',
    };
    const nonce = Buffer.alloc(12, 9);
    const key = createHmac('sha256', SECRETS.old).update(KEY).digest();
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    cipher.setAAD(writeBody(header, Buffer.alloc(0)));
    const ciphertext = Buffer.concat([cipher.update('"x"'), cipher.final()]);
    const payload = Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]);
    expect(payload.toString('hex')).toBe(
      '09090909090909090909090919199169e49ab37a07c228b278115a174812ac',
    );
    expect(await read(codec, recordOf(writeBody(header, payload)))).toBe('x');
  });

  it('S8 rotation → the first key writes, all of them read; a key that was taken out is a miss', async () => {
    const rotated = encrypting(['new', 'old']);
    const record = await sealed(codec, 'x');
    expect(await read(rotated, record)).toBe('x');
    const fresh = await sealed(rotated, 'x');
    expect(fresh.header.keyId).toBe('new');
    await expect(read(codec, fresh)).rejects.toMatchObject(MISS);
    await expect(read(encrypting(['new']), record)).rejects.toThrow('not among those');
  });

  it('S8 another secret under the same id → a miss', async () => {
    const impostor = codecOf({
      encryption: { keys: [{ id: 'old', key: keyOfSecret(SECRETS.other)! }], unencrypted: 'miss' },
    });
    await expect(read(impostor, await sealed(codec, 'x'))).rejects.toThrow('was not encrypted for');
  });

  it('S8 without the option → a miss', async () => {
    await expect(read(codecOf(), await sealed(codec, 'x'))).rejects.toThrow('is not set');
  });
});

describe('who can write to Redis and has no key', () => {
  it('S8 copies an entry to another key → a miss', async () => {
    const record = await sealed(codec, 'x');
    await expect(read(codec, record, 'cache:kother')).rejects.toMatchObject(MISS);
  });

  it.each<[string, Partial<EntryHeader>]>([
    ['kind', { kind: 'http' }],
    ['null', { isNull: true }],
    ['serializer', { serializer: 'msgpack' }],
    ['name of the serializer', { serializerName: 'x' }],
    ['grace', { graceMs: 1 }],
    ['tag clock', { c0: 1 }],
    ['topology', { topologyId: 1 }],
    ['version', { version: 'v2' }],
    ['tags', { tags: ['a'] }],
    ['tags taken away', { tags: undefined }],
    ['life', { lifeMs: 5 }],
    ['key id', { keyId: 'new' }],
    ['compression', { compressed: { algorithm: 'gzip', from: 10 } }],
    ['digest', { digestOf: '"x"' }],
  ])('S8 changes the %s in the header → a miss', async (_, change) => {
    const both = encrypting(['old', 'new']);
    const entry = codec.encode('x', { ...FACTS, tags: ['t'] });
    const { header, payload } = recordOf(await codec.seal(entry, KEY));
    const changed = recordOf(writeBody({ ...header, ...change }, payload));
    expect(() => both.open(changed, KEY)).toThrow(
      expect.objectContaining({ message: expect.stringContaining('was not encrypted for') }),
    );
    expect(await read(both, recordOf(writeBody(header, payload)))).toBe('x');
  });

  it('S8 stores values, nulls, responses and counters in the clear → misses, unless the option reads them', async () => {
    const clear = codecOf();
    const http = clear.encodeBytes(Buffer.from('x'), FACTS);
    const header = { ...FACTS, kind: 'counter', isNull: false, serializer: 'none' } as const;
    const lenient = encrypting(['old'], { unencrypted: 'read' });
    for (const record of [
      await sealed(clear, { admin: true }),
      await sealed(clear, null),
      recordOf(await clear.seal(http, KEY)),
      recordOf(writeBody(header, Buffer.from('7'))),
    ]) {
      expect(() => codec.open(record, KEY)).toThrow('is not encrypted');
      expect(await lenient.open(record, KEY)).toMatchObject({ payload: record.payload });
    }
  });

  it('S8 stores in the clear, and the option reads counters → those alone, and nothing that says it is something else', async () => {
    const clear = codecOf();
    const reader = encrypting(['old'], { unencrypted: 'counters' });
    const header = { ...FACTS, kind: 'counter', isNull: false, serializer: 'none' } as const;
    expect(await read(reader, recordOf(writeBody(header, Buffer.from('7'))))).toBe(7);
    const http = clear.encodeBytes(Buffer.from('7'), FACTS);
    for (const record of [
      await sealed(clear, 7),
      await sealed(clear, null),
      recordOf(await clear.seal(http, KEY)),
    ])
      expect(() => reader.open(record, KEY)).toThrow('is not encrypted');
  });

  it.each([0, 1, 27])('S8 stores %d bytes under the id of a key → a miss', async (bytes) => {
    const { header } = await sealed(codec, 'x');
    const record = recordOf(writeBody(header, randomBytes(bytes)));
    expect(() => codec.open(record, KEY)).toThrow('was not encrypted for');
  });

  it('S8 row 16 damages the payload 1 000 times, under a checksum that fits → misses', async () => {
    const record = await sealed(codec, { id: 7, list: [1, 2, 3] });
    for (let run = 0; run < 1000; run++) {
      const payload = Buffer.from(
        record.payload.subarray(0, run % 3 ? undefined : run % record.payload.length),
      );
      if (payload.length === record.payload.length)
        payload[run % payload.length]! ^= 1 << Math.floor(Math.random() * 8);
      expect(() => codec.open({ ...record, payload }, KEY)).toThrow('was not encrypted for');
    }
  });
});

describe('keyOfSecret', () => {
  const bytes = randomBytes(32);
  const keyBytes = (secret: unknown): Buffer => keyOfSecret(secret)!.export();

  it('S8 32 bytes → the same key as a Buffer, in hex, in base64 and base64url', () => {
    for (const secret of [
      bytes,
      new Uint8Array(bytes),
      bytes.toString('hex'),
      bytes.toString('hex').toUpperCase(),
      bytes.toString('base64'),
      bytes.toString('base64url'),
    ])
      expect(keyBytes(secret)).toEqual(bytes);
  });

  it('S8 any other text of 32 characters or more → a key of its own, always the same', () => {
    const text = 'correct horse battery staple, and so on';
    expect(keyBytes(text).toString('hex')).toBe(
      'b0e0f65ed3756de46569bc0e82b1fe7db17e6f8953ab7bab34d5ef89d86f3540',
    );
    expect(keyBytes(`${text}.`)).not.toEqual(keyBytes(text));
    expect(keyBytes('x'.repeat(32))).toHaveLength(32);
  });

  it('S8 text that goes on after 64 hex digits, or 43 of base64 → a key of its own, made of all of it', () => {
    for (const spelled of [bytes.toString('hex'), bytes.toString('base64url')]) {
      expect(keyBytes(`${spelled}0`)).toHaveLength(32);
      expect(keyBytes(`${spelled}0`)).not.toEqual(keyBytes(`${spelled}1`));
    }
  });

  it.each([
    'too short',
    'x'.repeat(31),
    '',
    Buffer.alloc(31),
    Buffer.alloc(33),
    5,
    null,
    undefined,
    {},
    ['x'.repeat(32)],
  ])('S8 %p → none', (secret) => {
    expect(keyOfSecret(secret)).toBeUndefined();
  });

  it('S8 a key looked at → shows nothing of the secret', () => {
    const shown = inspect(keyOfSecret('hunter2 '.repeat(8)), { depth: 9, showHidden: true });
    expect(shown).not.toContain('hunter2');
  });
});
