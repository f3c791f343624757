import { types } from 'node:util';
import type { PlainEntry } from '../../codec/codec.js';
import type { SerializerChoice } from '../../codec/serializer.js';
import { isCacheError, type CacheSerializationError } from '../../common/errors.js';
import type { EntryKey } from '../../keys/key-space.js';
import { isolate, Shared, type Isolated } from '../../l1/isolation.js';
import type { StoredBody } from '../../store/entry-store.js';
import { asStored } from '../../tags/tag-names.js';
import type { EntryKind, ValueRecord } from '../entry.js';
import type { CacheParts } from '../parts.js';
import { Freshness, OpenedEntry } from './opened-entry.js';
import type { RefreshAhead } from '../staleness.js';
import { parsed, type StandardSchema } from '../schema.js';
import type { Stamp } from '../tier.js';

/** A value and what is to be written with it. */
export interface Writable {
  readonly version?: string | number | undefined;
  readonly value: unknown;
  /** Infinity: it does not expire. */
  readonly ttlMs: number;
  /** The tag clock before the value was made. */
  readonly c0: number;
  readonly tags?: readonly string[] | undefined;
  /** Default: the module's. */
  readonly graceMs?: number;
  /** What the load took. */
  readonly costMs?: number | undefined;
  /** Reads begin its life anew. */
  readonly sliding?: boolean | undefined;
  /** Default: the module's. */
  readonly refreshAhead?: RefreshAhead | undefined;
  /** Default: the module's. */
  readonly serializer?: SerializerChoice | undefined;
  /** What does not match it is not stored. */
  readonly schema?: StandardSchema | undefined;
}

/** For whom a value is opened. */
interface Purpose {
  readonly key: EntryKey;
  /** Given with the call. */
  readonly serializer?: SerializerChoice | undefined;
  readonly purpose?: 'read' | 'count';
}

export interface Encoded {
  readonly body: Omit<StoredBody, 'newId'>;
  /** The value as it will come back from Redis. */
  readonly value: OpenedEntry;
  readonly stamp: Stamp;
}

/** A value in bytes, and how long these are kept. */
interface Drawn {
  readonly plain: PlainEntry;
  readonly softMs: number;
  readonly ttlMs: number;
}

interface Made {
  readonly plain: PlainEntry;
  readonly body: Omit<StoredBody, 'newId'>;
}

/** Between values and stored bytes: what is kept of a value, and how each reader gets it. */
export class EntryFormats {
  constructor(private readonly parts: CacheParts) {}

  /** Undefined, and reported, where the value cannot be stored. At once, unless there is a schema to ask, or much to compress. */
  encode(
    target: { key: EntryKey; kind: EntryKind; operation?: string },
    writable: Writable,
  ): Encoded | undefined | Promise<Encoded | undefined> {
    const encoded = ({ plain, body }: Made): Encoded => {
      const softAt = body.softMs && this.serverNow(target.key) + body.softMs;
      const { serializer } = writable;
      const value = this.opened(plain, { key: target.key, softAt, serializer });
      return { body, value, stamp: plain.header };
    };
    const unstorable = (error: unknown): undefined => {
      this.noteUnstorable(error, target.key);
      const { operation = 'getOrSet' } = target;
      this.parts.reporter.report(operation, 'the value, not stored', error);
      return undefined;
    };
    try {
      const made = this.made(target, writable, this.plain(target, writable));
      return types.isPromise(made) ? made.then(encoded).catch(unstorable) : encoded(made);
    } catch (error) {
      return unstorable(error);
    }
  }

  /** Bytes and lives of an entry, its value as it is now; `clock`: its c0, if yet to come. Rejects with `CacheSerializationError`. */
  async write(
    target: { key: EntryKey; kind: EntryKind },
    writable: Writable,
    clock?: Promise<number>,
  ): Promise<Omit<StoredBody, 'newId'>> {
    try {
      const drawn = this.plain(target, writable);
      const made = this.made(target, writable, clock ? stamped(drawn, await clock) : drawn);
      return (types.isPromise(made) ? await made : made).body;
    } catch (error) {
      this.noteUnstorable(error, target.key);
      throw error;
    }
  }

  /** The value as a reader gets it, whatever becomes of the one that was given. Throws `CacheSerializationError`. */
  copyOf(key: EntryKey, value: unknown, serializer?: SerializerChoice): OpenedEntry {
    try {
      const writable = { value, ttlMs: Infinity, c0: 0, serializer };
      const { plain } = this.plain({ key, kind: 'value' }, writable);
      return this.opened(plain, { key, softAt: 0, serializer });
    } catch (error) {
      this.noteUnstorable(error, key);
      throw error;
    }
  }

  private noteUnstorable(error: unknown, { given }: EntryKey): void {
    const { tooLarge } = error as Partial<CacheSerializationError>;
    this.parts.meter.count(tooLarge ? 'tooLarge' : 'unserialisable');
    // The codec knows of no keys.
    if (isCacheError(error) && error.key === undefined) Object.assign(error, { key: given });
  }

  /** At once, unless there is a schema to ask, or much to compress. */
  private made(
    target: { key: EntryKey },
    { schema, serializer }: Writable,
    { plain, softMs, ttlMs }: Drawn,
  ): Made | Promise<Made> {
    const { codec } = this.parts;
    const seal = (): Buffer | Promise<Buffer> => codec.seal(plain, target.key.redisKey);
    const as = (body: Buffer): Made => ({ plain, body: { body, softMs, ttlMs } });
    if (schema) return parsed(schema, codec.decode(plain, serializer)).then(seal).then(as);
    const sealed = seal();
    return types.isPromise(sealed) ? sealed.then(as) : as(sealed);
  }

  private plain({ key, kind }: { key: EntryKey; kind: EntryKind }, writable: Writable): Drawn {
    const { codec, settings, layout } = this.parts;
    const { value, ttlMs, c0, tags } = writable;
    const expires = ttlMs !== Infinity;
    // Rounded up: a life of less than a millisecond is one, and never "for ever".
    const kept = Math.max(1, Math.ceil(ttlMs * (1 - Math.random() * settings.ttlJitter)));
    const graceMs = expires ? (writable.graceMs ?? settings.graceMs) : 0;
    const ahead = expires ? (writable.refreshAhead ?? settings.refreshAhead) : undefined;
    const slides = expires && writable.sliding === true;
    const header = {
      graceMs,
      c0,
      topologyId: layout.id,
      tags: tags?.length ? tags.map(asStored) : undefined,
      digestOf: key.digestOf,
      version: writable.version === undefined ? undefined : String(writable.version),
      lifeMs: ahead || slides ? kept : undefined,
      sliding: slides || undefined,
      costMs: ahead?.beta ? writable.costMs : undefined,
    };
    const plain =
      kind === 'http'
        ? codec.encodeBytes(value as Buffer, header)
        : codec.encode(value, header, writable.serializer);
    return expires
      ? { plain, softMs: kept, ttlMs: kept + graceMs }
      : { plain, softMs: 0, ttlMs: 0 };
  }

  /** Undefined, and reported, where the bytes cannot be understood: such a value is a miss, and is replaced. */
  open(
    record: ValueRecord,
    { key, serializer, purpose }: Purpose,
  ): OpenedEntry | undefined | Promise<OpenedEntry | undefined> {
    const { softAt } = record;
    try {
      const plain = this.parts.codec.open(record, key.redisKey, purpose);
      return types.isPromise(plain)
        ? plain
            .then((bytes) => this.opened(bytes, { key, softAt, serializer }))
            .catch((error: unknown) => this.unreadable(error))
        : this.opened(plain, { key, softAt, serializer });
    } catch (error) {
      return this.unreadable(error);
    }
  }

  private unreadable(error: unknown): undefined {
    this.parts.meter.count('undecodable');
    this.parts.reporter.report('get', undefined, error);
  }

  /** How long ago a value in grace was fresh, in ms; undefined: it is fresh. One that has no grace is, as long as it is there. */
  staleMs({ softAt, header }: ValueRecord, key: EntryKey): number | undefined {
    if (header.graceMs === 0 || softAt === 0) return undefined;
    const pastMs = this.serverNow(key) - softAt;
    return pastMs < 0 ? undefined : pastMs;
  }

  private opened(
    plain: PlainEntry,
    {
      key,
      softAt,
      serializer,
    }: { key: EntryKey; softAt: number; serializer: SerializerChoice | undefined },
  ): OpenedEntry {
    const isolated = this.isolated(plain, serializer);
    return new OpenedEntry(isolated, plain.header, new Freshness(softAt, key, this));
  }

  /** By the clock of the key's server, as far as it is known. */
  serverNow({ redisKey }: EntryKey): number {
    return this.parts.clock.now() + this.parts.serverOffsetMs(redisKey);
  }

  private isolated(plain: PlainEntry, serializer: SerializerChoice | undefined): Isolated {
    const { settings } = this.parts;
    if (plain.header.kind === 'http') {
      const { payload } = detached(plain);
      return new Shared(payload);
    }
    return isolate(this.decoded(plain, serializer), settings.isolation, () => {
      const own = detached(plain);
      return () => this.decoded(own, serializer);
    });
  }

  /** A serializer of others may give a view of its bytes, which several readers share. */
  private decoded(plain: PlainEntry, serializer: SerializerChoice | undefined): unknown {
    const { serializer: by } = plain.header;
    const isOthers = by === 'custom' || by === 'call';
    return this.parts.codec.decode(isOthers ? detached(plain) : plain, serializer);
  }
}

const stamped = (drawn: Drawn, c0: number): Drawn => ({
  ...drawn,
  plain: { ...drawn.plain, header: { ...drawn.plain.header, c0 } },
});

/** The entry with bytes of its own: those that came from Redis are a view of a whole chunk of replies. */
function detached(plain: PlainEntry): PlainEntry {
  return { ...plain, payload: Buffer.from(plain.payload) };
}
