import { readRecord } from '../../codec/envelope.js';
import type { EntryKey } from '../../keys/key-space.js';
import { isolate } from '../../l1/isolation.js';
import type { StoredBody } from '../../store/entry-store.js';
import type { EntryKind, Opened, ValueRecord } from '../entry.js';
import type { CacheParts } from '../parts.js';
import type { Stamp } from '../tier.js';

/** A value and what is to be written with it. */
export interface Writable {
  readonly value: unknown;
  /** Infinity: it does not expire. */
  readonly ttlMs: number;
  /** The tag clock before the value was made. */
  readonly c0: number;
  readonly tags?: readonly string[];
}

export interface Encoded {
  readonly body: Omit<StoredBody, 'newId'>;
  /** The value as it will come back from Redis. */
  readonly value: Opened;
  readonly stamp: Stamp;
}

/** 20 bytes that stand for an id where a body is read back before it has one. */
const NO_ID = Buffer.from(`V${'0'.repeat(20)}`);

/** Between values and stored bytes: what is kept of a value, and how each reader gets it. */
export class EntryFormats {
  constructor(private readonly parts: CacheParts) {}

  /** Undefined, and reported, where the value cannot be stored. */
  encode(target: { key: EntryKey; kind: EntryKind }, writable: Writable): Encoded | undefined {
    try {
      const body = this.write(target, writable);
      const record = readRecord(Buffer.concat([NO_ID, body.body])) as ValueRecord;
      const freshMs = (): number => body.softMs || Infinity;
      const { c0, tags } = record.header;
      return { body, value: { take: this.taker(record), freshMs }, stamp: { c0, tags } };
    } catch (error) {
      this.parts.reporter.report('getOrSet', 'the loaded value, not stored', error);
      return undefined;
    }
  }

  /** The bytes and lives of an entry; throws `CacheSerializationError`. */
  write(
    { key, kind }: { key: EntryKey; kind: EntryKind },
    { value, ttlMs, c0, tags }: Writable,
  ): Omit<StoredBody, 'newId'> {
    const { codec, settings, layout } = this.parts;
    const own = { tags: tags?.length ? tags : undefined, digestOf: key.digestOf };
    const header = { graceMs: 0, c0, topologyId: layout.id, ...own };
    const body =
      kind === 'http'
        ? codec.encodeBytes(value as Buffer, { ...header, kind })
        : codec.encode(value, header);
    if (ttlMs === Infinity) return { body, softMs: 0, ttlMs: 0 };
    // Rounded up: a life of less than a millisecond is one, and never "for ever".
    const kept = Math.max(1, Math.ceil(ttlMs * (1 - Math.random() * settings.ttlJitter)));
    return { body, softMs: kept, ttlMs: kept };
  }

  /** Undefined, and reported, where the bytes cannot be understood: such a value is a miss, and is replaced. */
  open(record: ValueRecord): Opened | undefined {
    try {
      const { clock, serverOffsetMs } = this.parts;
      const { softAt } = record;
      const freshMs = (): number =>
        softAt === 0 ? Infinity : Math.max(0, softAt - clock.now() - serverOffsetMs());
      return { take: this.taker(record), freshMs };
    } catch (error) {
      this.parts.reporter.report('get', undefined, error);
      return undefined;
    }
  }

  private taker(record: ValueRecord): () => unknown {
    const { codec, settings } = this.parts;
    if (record.header.kind === 'http') {
      const { payload } = detached(record);
      return () => payload;
    }
    const isolated = isolate(codec.decode(record), settings.isolation, () => {
      const own = detached(record);
      return () => codec.decode(own);
    });
    return () => isolated.take();
  }
}

/** The record with bytes of its own: those that came from Redis are a view of a whole chunk of replies. */
function detached(record: ValueRecord): ValueRecord {
  return { ...record, payload: Buffer.from(record.payload) };
}
