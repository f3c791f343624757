import { readRecord, type EntryHeader, type StoredRecord } from '../codec/envelope.js';
import type { EntryKey } from '../keys/key-space.js';
import type { ReadSettings } from './entry.options.js';
import { parsed, type StandardSchema } from './schema.js';

export type ValueRecord = Extract<StoredRecord, { type: 'value' }>;

/** What a reader asks for: values and counters, or stored HTTP responses. */
export type EntryKind = 'value' | 'http';

/** A value that readers can take. */
export interface Opened {
  /** The value for one reader, as the serializer gives it back. */
  take(): unknown;
  /** How long it is still fresh, in ms; Infinity: for ever; 0: it is not stored, or past its ttl. */
  freshMs(): number;
  /** How long it was fresh when it was stored, where that was noted. */
  readonly lifeMs?: number | undefined;
  /** What its load took, where that was noted. */
  readonly costMs?: number | undefined;
  readonly version?: string | undefined;
  /** Only who gives a serializer of this name reads it ('': one without a name); undefined: everybody does. */
  readonly only?: string | undefined;
  /** What `take` gives is what this schema has made of the value. */
  readonly schema?: StandardSchema | undefined;
  /** Reads make it fresh for `lifeMs` again. */
  readonly sliding?: true | undefined;
}

export function isReadable({ only, version }: Opened, reads: ReadSettings | undefined): boolean {
  const serializer = reads?.serializer;
  if (reads?.version !== undefined && version !== String(reads.version)) return false;
  return only === undefined || (typeof serializer === 'object' && (serializer.name ?? '') === only);
}

/** The value as this schema has it. Rejects as `parsed` does. */
export async function fitted(value: Opened, schema: StandardSchema): Promise<Opened> {
  if (value.schema === schema) return value;
  const output = await parsed(schema, value.take());
  return { ...restOf(value), freshMs: () => value.freshMs(), schema, take: () => output };
}

/** A value that was loaded and is not stored. */
export const unstored = (value: Opened): Opened => ({
  ...restOf(value),
  take: () => value.take(),
  freshMs: () => 0,
});

function restOf({ lifeMs, costMs, version, only, schema, sliding }: Opened) {
  return { lifeMs, costMs, version, only, schema, sliding };
}

/** What a reader made of the bytes at a key. */
export type Seen =
  | { state: 'usable'; record: ValueRecord }
  /** Nothing there, or something foreign; `reject` names a value that the reader cannot use, or is ''. */
  | { state: 'absent'; reject: string }
  | { state: 'lease' }
  | { state: 'barrier' };

const ABSENT: Seen = { state: 'absent', reject: '' };
const LEASE: Seen = { state: 'lease' };
const BARRIER: Seen = { state: 'barrier' };

/** Which layouts of shards entries may have been written under. */
export interface Layout {
  /** 0 where one server, or one cluster, has all keys. */
  readonly id: number;
  /** Whether an entry with that id can have missed no evict; an orphan of a layout of long ago may have. */
  trusts(id: number, redisKey: string): boolean;
}

/** What a reader asks for. */
export interface Expected {
  readonly key: EntryKey;
  readonly kind: EntryKind;
}

export function look(bytes: Buffer | null, expected: Expected, layout: Layout): Seen {
  return bytes === null ? ABSENT : seen(readRecord(bytes), expected, layout);
}

/** The same for a record that has been read before. */
export function seen(record: StoredRecord, expected: Expected, layout: Layout): Seen {
  if (record.type === 'value')
    return isFor(record.header, expected) &&
      layout.trusts(record.header.topologyId, expected.key.redisKey)
      ? { state: 'usable', record }
      : { state: 'absent', reject: record.id };
  if (record.type === 'lease') return LEASE;
  if (record.type === 'barrier') return BARRIER;
  return record.id === '' ? ABSENT : { state: 'absent', reject: record.id };
}

const isFor = (header: EntryHeader, { key, kind }: Expected): boolean =>
  (header.kind === 'http') === (kind === 'http') && header.digestOf === key.digestOf;
