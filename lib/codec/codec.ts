import { isPromiseLike } from '../common/async.js';
import { types } from 'node:util';
import { CacheSerializationError, isCacheError } from '../common/errors.js';
import { compress, decompress, type CompressionSettings } from './compression.js';
import { Encryption, ENCRYPTION_BYTES, type EncryptionSettings } from './encryption.js';
import { writeBody, type EntryHeader, type StoredRecord } from './envelope.js';
import { JsonSerializer } from './json.serializer.js';
import { MsgpackSerializer } from './msgpack.serializer.js';
import type { Serializer, SerializerChoice } from './serializer.js';

export interface CodecOptions {
  readonly serializer: SerializerChoice;
  /** Larger payloads are neither written nor read; that is before compression and encryption. */
  readonly maxValueBytes: number;
  readonly compression?: false | CompressionSettings;
  readonly encryption?: EncryptionSettings;
}

/** What the caller of the codec knows about an entry. */
export type EntryFacts = Omit<
  EntryHeader,
  'isNull' | 'serializer' | 'serializerName' | 'kind' | 'compressed' | 'keyId'
>;

/** An entry with the payload that its serializer made, neither compressed nor encrypted. */
export interface PlainEntry {
  readonly header: EntryHeader;
  readonly payload: Buffer;
}

type ValueRecord = Extract<StoredRecord, { type: 'value' }>;

/** What the header says of the payload. */
type OfPayload = Pick<EntryHeader, 'kind' | 'isNull' | 'serializer' | 'serializerName'>;

const NOTHING = Buffer.alloc(0);
const BYTES: OfPayload = {
  kind: 'http',
  isNull: false,
  serializer: 'none',
  serializerName: undefined,
};

/** Every process reads what these have written, whatever serializer it writes with. */
const BUILT_IN = { json: new JsonSerializer(), msgpack: new MsgpackSerializer() };

/**
 * Between values and records, in two steps: `encode` and `decode` between a value and its payload, `seal` and `open`
 * between that and the bytes of the record. Every failure, either way, is a `CacheSerializationError` without any of the
 * value in it.
 */
export class Codec {
  private readonly encryption: Encryption | undefined;

  constructor(private readonly options: CodecOptions) {
    this.encryption = options.encryption && new Encryption(options.encryption);
  }

  /** The entry of a value, by the cache's serializer or one given with the call; `undefined` has none. */
  encode(value: unknown, facts: EntryFacts, given?: SerializerChoice): PlainEntry {
    const isNull = value === null;
    const payload = isNull ? NOTHING : serialize(value, given ?? this.options.serializer);
    this.assertFits(payload.length);
    const { serializer, serializerName } = this.mark(isNull ? undefined : given);
    const own = { kind: 'value', isNull, serializer, serializerName } as const;
    return { header: headerOf(facts, own), payload };
  }

  /** The entry of bytes that no serializer is asked about. */
  encodeBytes(payload: Buffer, facts: EntryFacts): PlainEntry {
    this.assertFits(payload.length);
    return { header: headerOf(facts, BYTES), payload };
  }

  /** The body of the record, to be stored at that key of Redis and readable nowhere else if it is encrypted; at once without compression. */
  seal(plain: PlainEntry, redisKey: string): Buffer | Promise<Buffer> {
    const { compression } = this.options;
    return compression
      ? this.sealPacked(plain, redisKey, compression)
      : this.bodyOf(plain, redisKey);
  }

  private async sealPacked(
    { header, payload: whole }: PlainEntry,
    redisKey: string,
    compression: CompressionSettings,
  ): Promise<Buffer> {
    const { payload, compressed } = await compress(whole, compression);
    return this.bodyOf(
      { header: compressed ? { ...header, compressed } : header, payload },
      redisKey,
    );
  }

  private bodyOf({ header, payload }: PlainEntry, redisKey: string): Buffer {
    if (this.encryption) {
      header = { ...header, keyId: this.encryption.keyId };
      payload = this.encryption.encrypt(payload, { redisKey, header: writeBody(header, NOTHING) });
    }
    return writeBody(header, payload);
  }

  /**
   * The entry in a record that was found at that key of Redis; at once, unless there is much to decompress. `purpose`: who
   * counts takes a counter as it is, since the server counts, and cannot encrypt.
   */
  open(
    record: ValueRecord,
    redisKey: string,
    purpose: 'read' | 'count' = 'read',
  ): PlainEntry | Promise<PlainEntry> {
    const { header, payload } = record;
    const { compressed } = header;
    this.assertFits(compressed?.from ?? payload.length - (header.keyId ? ENCRYPTION_BYTES : 0));
    const clear =
      purpose === 'count' && header.kind === 'counter' ? payload : this.decrypt(record, redisKey);
    if (!compressed) return clear === payload ? record : { header, payload: clear };
    const plain = (bytes: Buffer): PlainEntry => ({ header, payload: bytes });
    const fail = (error: unknown): never => {
      throw unreadable(`decompression threw ${nameOf(error)}`);
    };
    try {
      const bytes = decompress(clear, compressed);
      return types.isPromise(bytes) ? bytes.then(plain, fail) : plain(bytes);
    } catch (error) {
      return fail(error);
    }
  }

  /** The value of an entry, a new one each time. Stored HTTP responses have none: their bytes are the payload. */
  decode({ header, payload }: PlainEntry, given?: SerializerChoice): unknown {
    if (header.kind === 'http')
      throw new CacheSerializationError('The entry is a stored HTTP response, not a value');
    if (header.kind === 'counter') return readCounter(payload);
    return header.isNull ? null : deserialize(payload, this.readerOf(header, given));
  }

  private decrypt({ header, payload }: PlainEntry, redisKey: string): Buffer {
    const { encryption } = this;
    const { keyId, kind } = header;
    if (keyId === undefined) {
      const { unencrypted } = encryption ?? { unencrypted: 'read' };
      if (unencrypted === 'read' || (unencrypted === 'counters' && kind === 'counter'))
        return payload;
      throw unreadable('it is not encrypted, and the option encryption is set');
    }
    if (!encryption) throw unreadable('it is encrypted, and the option encryption is not set');
    return encryption.decrypt(payload, keyId, { redisKey, header: writeBody(header, NOTHING) });
  }

  /** What the header says of the serializer. */
  private mark(given: SerializerChoice | undefined) {
    const serializer = given ?? this.options.serializer;
    if (typeof serializer === 'string') return { serializer, serializerName: undefined };
    const scope = serializer === this.options.serializer ? 'custom' : 'call';
    return { serializer: scope, serializerName: serializer.name } as const;
  }

  private readerOf(header: EntryHeader, given: SerializerChoice | undefined): Serializer {
    const { serializer: by, serializerName } = header;
    if (by === 'json' || by === 'msgpack') return BUILT_IN[by];
    const reader = { none: undefined, custom: this.options.serializer, call: given }[by];
    if (typeof reader === 'object' && reader.name === serializerName) return reader;
    throw unreadable(
      by === 'call'
        ? 'it was written by a serializer given with the call, and this call has no such one'
        : 'it was written by a serializer that this cache does not have',
    );
  }

  private assertFits(bytes: number): void {
    const { maxValueBytes } = this.options;
    if (bytes > maxValueBytes)
      throw new CacheSerializationError(
        `The value has ${bytes} bytes, more than the ${maxValueBytes} of the option maxValueBytes`,
        { tooLarge: true },
      );
  }
}

/** Field by field: to spread the facts takes as long as to encode a value. */
const headerOf = (facts: EntryFacts, of: OfPayload): EntryHeader =>
  ({
    kind: of.kind,
    isNull: of.isNull,
    serializer: of.serializer,
    serializerName: of.serializerName,
    graceMs: facts.graceMs,
    c0: facts.c0,
    topologyId: facts.topologyId,
    version: facts.version,
    costMs: facts.costMs,
    tags: facts.tags,
    digestOf: facts.digestOf,
    lifeMs: facts.lifeMs,
    sliding: facts.sliding,
  }) satisfies Record<keyof EntryFacts | keyof OfPayload, unknown>;

function serialize(value: unknown, choice: SerializerChoice): Buffer {
  if (value === undefined)
    throw new CacheSerializationError('undefined cannot be stored; return null for "nothing"');
  let payload: unknown;
  try {
    if (typeof choice === 'string') return BUILT_IN[choice].serialize(value);
    payload = choice.serialize(value);
  } catch (cause) {
    if (isCacheError(cause)) throw cause;
    throw new CacheSerializationError(
      `The value cannot be serialised: ${nameOf(cause)} was thrown; see the cause`,
      { cause },
    );
  }
  // A copy: the serializer may use its memory again while this is being compressed.
  if (Buffer.isBuffer(payload)) return Buffer.from(payload);
  throw new CacheSerializationError(
    `The serializer must return a Buffer, and returned ${isPromiseLike(payload) ? 'a promise' : `a value of type ${typeof payload}`}`,
  );
}

function deserialize(payload: Buffer, serializer: Serializer): unknown {
  let value: unknown;
  try {
    value = serializer.deserialize(payload);
  } catch (error) {
    // Not as a cause: parsers quote their input, and that is the payload.
    throw unreadable(`the serializer threw ${nameOf(error)}`);
  }
  if (isPromiseLike(value)) {
    value.then(undefined, () => undefined);
    throw unreadable('the serializer gave a promise, and deserialize has to give the value');
  }
  if (value !== undefined) return value;
  throw unreadable('the serializer read undefined, which is never stored');
}

/** Scripts keep it as the decimal text of an integer. */
function readCounter(payload: Buffer): number {
  const text = payload.toString('latin1');
  const count = /^-?\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(count)) return count;
  throw new CacheSerializationError('The entry is a counter, and does not hold an integer');
}

const unreadable = (why: string): CacheSerializationError =>
  new CacheSerializationError(`The stored value cannot be read: ${why}; it will be replaced`);

function nameOf(error: unknown): string {
  return types.isNativeError(error) ? error.name : `a value of type ${typeof error}`;
}
