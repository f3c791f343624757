import { describe, expect, it, jest } from '@jest/globals';
import type { Codec } from '../../../lib/codec/codec.js';
import { readRecord, writeBody, type EntryHeader } from '../../../lib/codec/envelope.js';
import type { Serializer, SerializerChoice } from '../../../lib/codec/serializer.js';
import { CacheSerializationError } from '../../../lib/common/errors.js';
import { codecOf, FACTS, HEAD, KEY, recordOf, sealed, type ValueRecord } from './records.js';

const plain: Serializer = {
  serialize: (value) => Buffer.from(String(value)),
  deserialize: (bytes) => bytes.toString(),
};

const custom = (part: Partial<Serializer>): Codec => codecOf({ serializer: { ...plain, ...part } });

const read = async (codec: Codec, record: ValueRecord, given?: SerializerChoice, key = KEY) =>
  codec.decode(await codec.open(record, key), given);

/** What the call throws; fails if it throws nothing. */
function thrownBy(call: () => unknown): any {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('Codec.encode and decode', () => {
  it('B1 values that are false, and null → themselves, not a miss', async () => {
    for (const serializer of ['json', 'msgpack'] as const) {
      const codec = codecOf({ serializer });
      for (const value of [null, false, 0, '', NaN, [], {}])
        expect(await read(codec, await sealed(codec, value))).toStrictEqual(value);
    }
  });

  it('null → a flag and no payload, no serializer is asked, and everybody reads it', async () => {
    const serialize = jest.fn<Serializer['serialize']>();
    const given = { ...plain, serialize };
    for (const record of [
      await sealed(custom({ serialize }), null),
      await sealed(codecOf(), null, given),
    ]) {
      expect(record.header.isNull).toBe(true);
      expect(record.payload).toHaveLength(0);
      expect(await read(codecOf(), record)).toBeNull();
    }
    expect(serialize).not.toHaveBeenCalled();
  });

  it('facts of the entry → in its header', () => {
    const facts = { graceMs: 5, c0: 6, topologyId: 7, tags: ['a'], digestOf: '"k"', version: '1' };
    const { header } = codecOf().encode(1, facts);
    expect(header).toEqual({ ...facts, kind: 'value', isNull: false, serializer: 'json' });
  });

  it('decode — twice → two values', () => {
    const codec = codecOf();
    const entry = codec.encode({ a: [1] }, FACTS);
    expect(codec.decode(entry)).not.toBe(codec.decode(entry));
  });

  it('S1 own serializer → its bytes, and its value', async () => {
    const codec = custom({});
    const record = await sealed(codec, 'é');
    expect(record.header.serializer).toBe('custom');
    expect(record.payload.toString()).toBe('é');
    expect(await read(codec, record)).toBe('é');
  });

  it('S1 entries of json and msgpack → read by every codec, whatever it writes', async () => {
    for (const serializer of ['json', 'msgpack'] as const) {
      const record = await sealed(codecOf({ serializer }), { at: new Date(0) });
      expect(record.header.serializer).toBe(serializer);
      for (const codec of [codecOf(), codecOf({ serializer: 'msgpack' }), custom({})])
        expect(await read(codec, record)).toStrictEqual({ at: new Date(0) });
    }
  });

  it('S1 a serializer given with the call → read with it, and not without', async () => {
    const record = await sealed(codecOf(), 'é', plain);
    expect(record.header.serializer).toBe('call');
    expect(await read(codecOf(), record, plain)).toBe('é');
    for (const codec of [codecOf(), custom({})])
      await expect(read(codec, record)).rejects.toThrow('given with the call');
    await expect(read(codecOf(), record, { ...plain, name: 'other' })).rejects.toThrow('no such');
  });

  it('S1 the serializer of the cache given with the call → as without', async () => {
    const record = await sealed(codecOf({ serializer: plain }), 'x', plain);
    expect(record.header.serializer).toBe('custom');
    expect((await sealed(codecOf(), 'x', 'json')).header.serializer).toBe('json');
  });

  it('S1 name of a serializer → in the entry, and only its like reads it', async () => {
    const record = await sealed(custom({ name: 'v2' }), 'x');
    expect(record.header.serializerName).toBe('v2');
    expect(await read(custom({ name: 'v2' }), record)).toBe('x');
    for (const codec of [custom({}), custom({ name: 'v1' }), codecOf()])
      await expect(read(codec, record)).rejects.toThrow('does not have');
  });

  it('S1 a serializer that uses its memory again → what it wrote the first time', async () => {
    const memory = Buffer.alloc(1);
    const codec = custom({ serialize: (value) => (memory.write(String(value)), memory) });
    const first = codec.encode('a', FACTS);
    codec.encode('b', FACTS);
    expect(first.payload.toString()).toBe('a');
  });

  it('encodeBytes → the bytes as they are, and no value', async () => {
    const bytes = Buffer.from([0, 255, 123]);
    const entry = codecOf().encodeBytes(bytes, FACTS);
    const record = recordOf(await codecOf().seal(entry, KEY));
    expect(record.header).toMatchObject({ kind: 'http', serializer: 'none', isNull: false });
    expect(record.payload).toEqual(bytes);
    expect(() => codecOf().decode(record)).toThrow(CacheSerializationError);
  });
});

describe('Codec.encode — what cannot be stored', () => {
  it('undefined → CacheSerializationError, whatever the serializer', () => {
    expect(() => codecOf().encode(undefined, FACTS)).toThrow(CacheSerializationError);
    expect(() => custom({}).encode(undefined, FACTS)).toThrow('undefined cannot be stored');
  });

  it('row 15 toJSON that throws → CacheSerializationError with the cause, and no content', () => {
    const cause = new RangeError('no json');
    const value = {
      password: 'hunter2',
      at: {
        toJSON: () => {
          throw cause;
        },
      },
    };
    const error = thrownBy(() => codecOf().encode(value, FACTS));
    expect(error).toBeInstanceOf(CacheSerializationError);
    expect(error.cause).toBe(cause);
    expect(error.message).toContain('RangeError was thrown');
    expect(error.message).not.toContain('hunter2');
  });

  it('row 15 S6 what no serializer takes → its own words, not those for what was thrown', () => {
    for (const serializer of ['json', 'msgpack'] as const)
      expect(() => codecOf({ serializer }).encode({ fn: () => 1 }, FACTS)).toThrow(
        'The value holds a function; return plain data',
      );
  });

  it('row 15 value nested 10 000 deep → CacheSerializationError', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 10_000; i++) deep = { deep };
    expect(() => codecOf().encode(deep, FACTS)).toThrow(CacheSerializationError);
  });

  it('row 17 payload of maxValueBytes → stored; one more → refused with both sizes', () => {
    const codec = codecOf({ maxValueBytes: 100 });
    expect(codec.encode('x'.repeat(98), FACTS).payload).toHaveLength(100);
    expect(() => codec.encode('x'.repeat(99), FACTS)).toThrow(
      'The value has 101 bytes, more than the 100 of the option maxValueBytes',
    );
    expect(() => codec.encodeBytes(Buffer.alloc(101), FACTS)).toThrow(CacheSerializationError);
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['string', 'text'],
    ['a promise', Promise.resolve(Buffer.alloc(1))],
    ['object', new Uint8Array(1)],
  ])('serializer that returns %s → CacheSerializationError', (type, result) => {
    const codec = custom({ serialize: () => result as Buffer });
    expect(() => codec.encode(1, FACTS)).toThrow(
      new CacheSerializationError(
        `The serializer must return a Buffer, and returned ${type === 'a promise' ? type : `a value of type ${type}`}`,
      ),
    );
  });

  it('a value whose toJSON gives undefined → CacheSerializationError; within another one it is nothing', () => {
    const nothing = { toJSON: () => undefined };
    for (const serializer of ['json', 'msgpack'] as const) {
      expect(() => codecOf({ serializer }).encode(nothing, FACTS)).toThrow(CacheSerializationError);
      expect(() => codecOf({ serializer }).encode([nothing], FACTS)).not.toThrow();
    }
  });

  it.each([
    ['that fulfils', (): Promise<unknown> => Promise.resolve(1)],
    ['that rejects', (): Promise<unknown> => Promise.reject(new Error('asynchronous'))],
  ])(
    'serializer that reads a promise %s → CacheSerializationError, and no unhandled rejection',
    async (_, deserialize) => {
      const codec = custom({ deserialize });
      const record = await sealed(custom({}), 'x');
      await expect(read(codec, record)).rejects.toThrow('gave a promise');
      await new Promise(setImmediate);
    },
  );

  it('serializer that throws anything → CacheSerializationError', () => {
    const codec = custom({
      serialize: () => {
        // eslint-disable-next-line no-throw-literal, typescript/only-throw-error
        throw 'hunter2';
      },
    });
    const error = thrownBy(() => codec.encode(1, FACTS));
    expect(error).toBeInstanceOf(CacheSerializationError);
    expect(error.message).not.toContain('hunter2');
  });
});

describe('Codec.decode — what cannot be read', () => {
  const made = (payload: string, header: Partial<EntryHeader> = {}) =>
    recordOf(
      writeBody(
        { ...FACTS, kind: 'value', isNull: false, serializer: 'json', ...header },
        Buffer.from(payload),
      ),
    );

  it.each([
    ['{"password":"hunter2"', {}],
    ['~["$hunter2"]', {}],
    ['"hunter2"', { serializer: 'custom' as const }],
    ['"hunter2"', { serializer: 'none' as const }],
    ['hunter2', { kind: 'counter' as const }],
  ])('S5 %s %j → CacheSerializationError without the payload', (payload, header) => {
    const error = thrownBy(() => codecOf().decode(made(payload, header)));
    expect(error).toBeInstanceOf(CacheSerializationError);
    expect(error.message).not.toContain('hunter2');
    expect(error.cause).toBeUndefined();
  });

  it('S5 own serializer throws, or gives undefined → CacheSerializationError', () => {
    const ours = made('1', { serializer: 'custom' });
    expect(() => custom({ deserialize: () => undefined }).decode(ours)).toThrow(
      CacheSerializationError,
    );
    const parse = (bytes: Buffer): never => {
      throw new SyntaxError(`bad: ${bytes.toString()}`);
    };
    expect(() => custom({ deserialize: parse }).decode(ours)).toThrow(
      'the serializer threw SyntaxError',
    );
  });

  it('row 27 payload over the limit → refused before it is parsed', () => {
    const deserialize = jest.fn<Serializer['deserialize']>();
    const codec = custom({ deserialize });
    expect(() => codec.open(made('x'.repeat(1025), { serializer: 'custom' }), KEY)).toThrow(
      'more than the 1024',
    );
    expect(deserialize).not.toHaveBeenCalled();
  });

  it.each([
    ['0', 0],
    ['-42', -42],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('counter %s → %d', (payload, count) => {
    const counter = made(payload, { kind: 'counter', serializer: 'none' });
    expect(codecOf().decode(counter)).toBe(count);
    expect(custom({}).decode(counter)).toBe(count);
  });

  it.each(['', '-', '1.5', '1e3', ' 1', '9007199254740992', '1'.repeat(400)])(
    'counter %p → CacheSerializationError',
    (payload) => {
      expect(() => codecOf().decode(made(payload, { kind: 'counter' }))).toThrow(
        CacheSerializationError,
      );
    },
  );

  it('row 16 4 000 damaged records → a miss or the very value, and nothing but CacheSerializationError', async () => {
    const codec = codecOf();
    const value = { id: 7, at: new Date(0), tags: new Set(['a']), text: 'äöü' };
    const entry = codec.encode(value, { ...FACTS, tags: ['x'], version: '1' });
    const original = Buffer.concat([HEAD, await codec.seal(entry, KEY)]);
    let read = 0;
    for (let run = 0; run < 4000; run++) {
      const bytes = Buffer.from(original.subarray(0, run % 3 ? undefined : run % original.length));
      for (let i = 0; i <= run % 4 && bytes.length > 0; i++)
        bytes[Math.floor(Math.random() * bytes.length)] = Math.floor(Math.random() * 256);
      const record = readRecord(bytes);
      if (record.type !== 'value') continue;
      read++;
      expect(codec.decode(record)).toStrictEqual(value);
    }
    expect(read).toBeLessThan(2000);
  });
});
