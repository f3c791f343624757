import { readHead } from '../codec/envelope.js';

/**
 * What the protocol itself reads in a record: its type, its id, and of a value the two fields that say whether it is
 * live. Everything else belongs to `codec/envelope.ts`.
 */

/** Type byte and id; the rest of a lease are its waiters, of a value its body. */
export const HEAD_BYTES = 21;
/** Where the scripts put `softAt` (float64, big endian, ms of the server's clock, 0 = never). */
const SOFT_AT = 24;
const GRACE_MS = 32;
const FIXED_BYTES = 36;

/** The id of the lease that stands for "a load has failed, nobody may load for now". */
export const HOLD_ID = '!error'.padEnd(20, '.');

export function leaseRecord(id: string): Buffer {
  return Buffer.from(`L${id}`, 'latin1');
}

export function valueRecord(id: string, body: Buffer, softAt: number): Buffer {
  const bytes = Buffer.concat([Buffer.from(`V${id}`, 'latin1'), body]);
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
