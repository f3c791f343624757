/**
 * What the protocol itself reads in a record: its type, its id, and of a value the two fields that say whether it is
 * live. Everything else belongs to `codec/envelope.ts`.
 */

export type RecordType = 'V' | 'L' | 'B';

/** Type byte and id; the rest of a lease are its waiters, of a value its body. */
export const HEAD_BYTES = 21;
/** Where the scripts put `softAt` (float64, big endian, ms of the server's clock, 0 = never). */
const SOFT_AT = 24;
const GRACE_MS = 32;
const FIXED_BYTES = 36;

/** The id of the lease that stands for "a load has failed, nobody may load for now". */
export const HOLD_ID = '!error'.padEnd(20, '.');

const UNTOUCHED = { type: undefined, id: '' } as const;

/** Type and id; no type means absent or foreign, which the protocol treats alike. */
export function headOf(bytes: Buffer | undefined): { type: RecordType | undefined; id: string } {
  if (!bytes || bytes.length < HEAD_BYTES) return UNTOUCHED;
  const type = bytes.toString('latin1', 0, 1);
  if (type !== 'V' && type !== 'L' && type !== 'B') return UNTOUCHED;
  return { type, id: bytes.toString('latin1', 1, HEAD_BYTES) };
}

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
  if (headOf(bytes).type !== 'V' || bytes.length < FIXED_BYTES) return false;
  const softAt = bytes.readDoubleBE(SOFT_AT);
  return bytes.readUInt32BE(GRACE_MS) === 0 || softAt === 0 || softAt > now;
}

/** The instances that wait for a lease to end. */
export function waitersOf(bytes: Buffer): string[] {
  return bytes.toString('latin1', HEAD_BYTES).split(',').filter(Boolean);
}

/** The barrier with its taint byte set: whoever holds it will store nothing. */
export function tainted(bytes: Buffer): Buffer {
  const rest = bytes.subarray(HEAD_BYTES + 1);
  return Buffer.concat([bytes.subarray(0, HEAD_BYTES), Buffer.from('1'), rest]);
}
