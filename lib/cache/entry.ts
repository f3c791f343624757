import { readRecord, type EntryHeader, type StoredRecord } from '../codec/envelope.js';
import type { EntryKey } from '../keys/key-space.js';

export type ValueRecord = Extract<StoredRecord, { type: 'value' }>;

/** What a reader asks for: values and counters, or stored HTTP responses. */
export type EntryKind = 'value' | 'http';

/** A value that readers can take. */
export interface Opened {
  /** The value for one reader, as the serializer gives it back. */
  take(): unknown;
  /** How long it is still fresh, in ms; Infinity: for ever; 0: it is not stored. */
  freshMs(): number;
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

export function look(bytes: Buffer | null, key: EntryKey, kind: EntryKind): Seen {
  if (bytes === null) return ABSENT;
  const record = readRecord(bytes);
  if (record.type === 'value')
    return isFor(record.header, key, kind)
      ? { state: 'usable', record }
      : { state: 'absent', reject: record.id };
  if (record.type === 'lease') return LEASE;
  if (record.type === 'barrier') return BARRIER;
  return record.id === '' ? ABSENT : { state: 'absent', reject: record.id };
}

function isFor(header: EntryHeader, key: EntryKey, kind: EntryKind): boolean {
  return (header.kind === 'http') === (kind === 'http') && header.digestOf === key.digestOf;
}
