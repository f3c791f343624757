import { types } from 'node:util';
import { CacheSerializationError, isCacheError } from '../common/errors.js';
import { writeBody, type EntryHeader, type StoredRecord } from './envelope.js';
import { JsonSerializer } from './json.serializer.js';
import type { Serializer } from './serializer.js';

export interface CodecOptions {
  serializer: 'json' | Serializer;
  /** Larger payloads are neither written nor read. */
  maxValueBytes: number;
}

/** What the caller of the codec knows about an entry. */
export type EntryFacts = Omit<EntryHeader, 'isNull' | 'serializer' | 'kind'>;

const NOTHING = Buffer.alloc(0);

/** Between values and records. Every failure, either way, is a `CacheSerializationError` without any of the value in it. */
export class Codec {
  private readonly kind: 'json' | 'custom';
  private readonly serializer: Serializer;
  private readonly maxValueBytes: number;

  constructor({ serializer, maxValueBytes }: CodecOptions) {
    this.kind = serializer === 'json' ? 'json' : 'custom';
    this.serializer = serializer === 'json' ? new JsonSerializer() : serializer;
    this.maxValueBytes = maxValueBytes;
  }

  /** The body of the record of a value; `undefined` has none. */
  encode(value: unknown, facts: EntryFacts & { kind?: 'value' }): Buffer {
    const header = { ...facts, kind: 'value', serializer: this.kind } as const;
    if (value === null) return writeBody({ ...header, isNull: true }, NOTHING);
    const payload = this.serialize(value);
    this.assertFits(payload);
    return writeBody({ ...header, isNull: false }, payload);
  }

  /** The body of the record of bytes that no serializer is asked about. */
  encodeBytes(bytes: Buffer, facts: EntryFacts & { kind: 'http' }): Buffer {
    this.assertFits(bytes);
    return writeBody({ ...facts, isNull: false, serializer: 'none' }, bytes);
  }

  /** The value of a record, a new one each time. Stored HTTP responses have none: their bytes are the payload. */
  decode({ header, payload }: Extract<StoredRecord, { type: 'value' }>): unknown {
    if (header.kind === 'http')
      throw new CacheSerializationError('The entry is a stored HTTP response, not a value');
    if (header.kind === 'counter') return readCounter(payload);
    if (header.isNull) return null;
    if (header.serializer !== this.kind)
      throw new CacheSerializationError(
        `The entry was written by the serializer '${header.serializer}', and this cache has '${this.kind}'; it will be replaced`,
      );
    this.assertFits(payload);
    return this.deserialize(payload);
  }

  private serialize(value: unknown): Buffer {
    if (value === undefined)
      throw new CacheSerializationError('undefined cannot be stored; return null for "nothing"');
    let payload: unknown;
    try {
      payload = this.serializer.serialize(value);
    } catch (cause) {
      if (isCacheError(cause)) throw cause;
      throw new CacheSerializationError(
        `The value cannot be serialised: ${nameOf(cause)} was thrown; see the cause`,
        { cause },
      );
    }
    if (Buffer.isBuffer(payload)) return payload;
    throw new CacheSerializationError(
      `The serializer must return a Buffer, and returned a value of type ${typeof payload}`,
    );
  }

  private deserialize(payload: Buffer): unknown {
    let value: unknown;
    try {
      value = this.serializer.deserialize(payload);
    } catch (error) {
      // Not as a cause: parsers quote their input, and that is the payload.
      throw new CacheSerializationError(
        `The stored value cannot be read: the serializer threw ${nameOf(error)}; it will be replaced`,
      );
    }
    if (value !== undefined) return value;
    throw new CacheSerializationError('The serializer read undefined, which is never stored');
  }

  private assertFits(payload: Buffer): void {
    if (payload.length > this.maxValueBytes)
      throw new CacheSerializationError(
        `The value has ${payload.length} bytes, more than the ${this.maxValueBytes} of the option maxValueBytes`,
      );
  }
}

/** Scripts keep it as the decimal text of an integer. */
function readCounter(payload: Buffer): number {
  const text = payload.toString('latin1');
  const count = /^-?\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(count)) return count;
  throw new CacheSerializationError('The entry is a counter, and does not hold an integer');
}

function nameOf(error: unknown): string {
  return types.isNativeError(error) ? error.name : `a value of type ${typeof error}`;
}
