import { readHead } from '../codec/envelope.js';

/**
 * What the protocol itself reads in a record: its type, its id, and of a value the two fields that say whether it is
 * live. Everything else belongs to `codec/envelope.ts`.
 */

/** Type byte and id; the rest of a lease are its waiters, of a value its body. */
const HEAD_BYTES = 21;
/** Where the scripts put `softAt` (float64, big endian, ms of the server's clock, 0 = never). */
const SOFT_AT = 24;
const GRACE_MS = 32;
const FIXED_BYTES = 36;
const CRC_BYTES = 4;

/** The id of the lease that stands for "a load has failed, nobody may load for now". */
export const HOLD_ID = '!error'.padEnd(20, '.');

/** What ACQUIRE says of a lease with this id, beside for how long. */
export const backoffOf = (id: string): { backoff?: true } =>
  id === HOLD_ID ? { backoff: true } : {};

export function leaseRecord(id: string): Buffer {
  return Buffer.from(`L${id}`, 'latin1');
}

export function valueRecord(id: string, body: Buffer, softAt: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + body.length);
  bytes.write(`V${id}`, 'latin1');
  body.copy(bytes, HEAD_BYTES);
  bytes.writeDoubleBE(softAt, SOFT_AT);
  return bytes;
}

/** False for a value that is only kept for its grace. A value without grace is live for as long as its key. */
export function isLive(bytes: Buffer, now: number): boolean {
  if (readHead(bytes).type !== 'V' || bytes.length < FIXED_BYTES) return false;
  const softAt = bytes.readDoubleBE(SOFT_AT);
  return bytes.readUInt32BE(GRACE_MS) === 0 || softAt === 0 || softAt > now;
}

/** The instances that wait for a lease to end. */
export function waitersOf(bytes: Buffer): string[] {
  return bytes.toString('latin1', HEAD_BYTES).split(',').filter(Boolean);
}

/** What an open write barrier says. */
export interface Barrier {
  readonly tainted: boolean;
  /** Ids of the writers that have begun and not ended. */
  readonly writers: readonly string[];
}

const TAINT_AT = HEAD_BYTES;

export function barrierOf(bytes: Buffer): Barrier {
  const writers = bytes
    .toString('latin1', TAINT_AT + 1)
    .split(',')
    .filter(Boolean);
  return { tainted: bytes.toString('latin1', TAINT_AT, TAINT_AT + 1) === '1', writers };
}

export function barrierRecord({ tainted, writers }: Barrier): Buffer {
  const list = writers.map((writer) => `,${writer}`).join('');
  return Buffer.from(`B${'.'.repeat(20)}${tainted ? 1 : 0}${list}`, 'latin1');
}

/** The same barrier, whose writers will store nothing. */
export function tainted(bytes: Buffer): Buffer {
  return barrierRecord({ ...barrierOf(bytes), tainted: true });
}

/**
 * All that a value is judged by, in one piece: its record without type, id, `softAt`, payload and checksum. A value with the
 * same facts is as good as the one that they were read from.
 */
export function factsOf(record: Buffer, payload: Buffer): Buffer {
  const end = record.length - CRC_BYTES - payload.length;
  return Buffer.concat([record.subarray(HEAD_BYTES, SOFT_AT), record.subarray(GRACE_MS, end)]);
}

/** The same of a body that has no payload yet. */
export const bodyFacts = (body: Buffer): Buffer =>
  Buffer.concat([
    body.subarray(0, FLAGS_BYTES),
    body.subarray(GRACE_MS - HEAD_BYTES, body.length - CRC_BYTES),
  ]);

const FLAGS_BYTES = SOFT_AT - HEAD_BYTES;

export function isLike(record: Buffer, facts: Buffer): boolean {
  const end = GRACE_MS - FLAGS_BYTES + facts.length;
  return (
    facts.length > 0 &&
    record.subarray(HEAD_BYTES, SOFT_AT).equals(facts.subarray(0, FLAGS_BYTES)) &&
    record.subarray(GRACE_MS, end).equals(facts.subarray(FLAGS_BYTES))
  );
}

/** How long a value with these facts is kept after it is not fresh any more. */
export const graceMsOf = (facts: Buffer): number => facts.readUInt32BE(FLAGS_BYTES);

/** The same value, fresh until then. */
export function freshUntil(record: Buffer, softAt: number): Buffer {
  const bytes = Buffer.from(record);
  bytes.writeDoubleBE(softAt, SOFT_AT);
  return bytes;
}

/** Its payload is the decimal text of the count, its checksum 0. */
export function counterRecord(id: string, facts: Buffer, count: number): Buffer {
  return Buffer.concat([
    Buffer.from(`V${id}`, 'latin1'),
    facts.subarray(0, FLAGS_BYTES),
    Buffer.alloc(GRACE_MS - SOFT_AT),
    facts.subarray(FLAGS_BYTES),
    Buffer.from(String(count), 'latin1'),
    Buffer.alloc(CRC_BYTES),
  ]);
}

/** The count of a counter with these facts; undefined where it is damaged. */
export function countOf(record: Buffer, facts: Buffer): number | undefined {
  const at = GRACE_MS - FLAGS_BYTES + facts.length;
  const text = record.toString('latin1', at, Math.max(at, record.length - CRC_BYTES));
  const count = /^-?\d{1,16}$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(count) ? count : undefined;
}

export function softAtOf(record: Buffer): number {
  return record.readDoubleBE(SOFT_AT);
}
