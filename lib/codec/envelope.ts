import { crc32 } from 'node:zlib';
import type { Compressed } from './compression.js';
import {
  COMPRESSED,
  lengthed,
  LENGTH_BYTES,
  NUMBER,
  readLengthed,
  SET,
  TEXT,
  TEXTS,
  type Form,
} from './field-forms.js';

/**
 * The bytes of an entry, version 1. Offsets within the whole record, numbers big-endian:
 *
 *     0   type     'V' value, 'L' lease, 'B' write barrier
 *     1   id       20 characters, see common/ids.ts
 *     21  fmt      1
 *     22  flags    2 bytes: kind, null, serializer, and one bit for each optional field
 *     24  softAt   float64, the server's ms since the epoch; 0: fresh for ever; written by scripts
 *     32  graceMs  uint32
 *     36  c0       float64, the tag clock
 *     44  topology uint32
 *     48  the optional fields that are there, in the order of FIELDS: uint32 length, bytes
 *         payload
 *     -4  crc32 over 21..23 and 32..-4: everything that scripts leave alone; 0 for a counter, whose payload they rewrite
 *
 * What is not exactly this is foreign, and a miss: so is a flag that only a later version knows. The golden vectors in the
 * tests hold the layout in place; changing it takes a new `fmt`.
 */

export interface EntryHeader {
  kind: 'value' | 'http' | 'counter';
  /** The value is null; the payload is empty. */
  isNull: boolean;
  /**
   * Who made the payload of the value: `custom` is the module's own, `call` one given with the call; `none`: it is bytes as
   * they are.
   */
  serializer: 'json' | 'custom' | 'none' | 'msgpack' | 'call';
  /** How long after `softAt` the value may still stand in; at most 2^32 - 1. */
  graceMs: number;
  /** The tag clock before the load began: evicts of tags with a later version hit this entry. */
  c0: number;
  /** The topology's layout of shards when this was written. */
  topologyId: number;
  version?: string;
  /** What the load took. */
  costMs?: number;
  tags?: readonly string[];
  /** The whole key where the Redis key holds only its digest. */
  digestOf?: string;
  /** Which key the payload is encrypted with. */
  keyId?: string;
  /** How long it was fresh from when it was stored. */
  lifeMs?: number;
  /** Reads make it fresh for `lifeMs` again. */
  sliding?: true;
  /** How the payload is compressed, before it is encrypted. */
  compressed?: Compressed;
  /** The `name` of a serializer of the application's own. */
  serializerName?: string;
}

export type StoredRecord =
  | { type: 'value'; id: string; softAt: number; header: EntryHeader; payload: Buffer }
  | { type: 'lease'; id: string }
  | { type: 'barrier'; id: string }
  /** Nothing of ours; `id` is that of a damaged or newer value, to reject it by, or ''. */
  | { type: 'foreign'; id: string };

const ID_AT = 1;
const FMT_AT = 21;
const FLAGS_AT = 22;
const SOFT_AT = 24;
const GRACE_AT = 32;
const C0_AT = 36;
const TOPOLOGY_AT = 44;
const FIELDS_AT = 48;
const CRC_BYTES = 4;

const FMT = 1;
const MAX_UINT32 = 0xffffffff;

/** Flags: bits 0-1 kind, bit 2 null, bits 3-5 serializer, from bit 6 on the optional fields. */
const KINDS = ['value', 'http', 'counter'] as const;
const NULL_FLAG = 0b100;
const SERIALIZERS = ['json', 'custom', 'none', 'msgpack', 'call'] as const;
const SERIALIZER_SHIFT = 3;

/** The optional fields: the next one gets the next bit, and comes last. */
const FIELDS = [
  { flag: 1 << 6, name: 'version', form: TEXT },
  { flag: 1 << 7, name: 'costMs', form: NUMBER },
  { flag: 1 << 8, name: 'tags', form: TEXTS },
  { flag: 1 << 9, name: 'digestOf', form: TEXT },
  { flag: 1 << 10, name: 'keyId', form: TEXT },
  { flag: 1 << 11, name: 'lifeMs', form: NUMBER },
  { flag: 1 << 12, name: 'sliding', form: SET },
  { flag: 1 << 13, name: 'compressed', form: COMPRESSED },
  { flag: 1 << 14, name: 'serializerName', form: TEXT },
] as const satisfies readonly { flag: number; name: keyof EntryHeader; form: unknown }[];

const KNOWN_FLAGS = (1 << 15) - 1;
/** Lower flags are no fields. */
const FIRST_FIELD = FIELDS[0].flag;

export type RecordType = 'V' | 'L' | 'B';

/** Of what an id is made. One of other bytes would not be the same after it was read as text, and could never be rejected. */
const ID_BYTES = new Set(
  Buffer.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!.'),
);
/** By byte: 1 where an id may have it. */
const IS_ID_BYTE = Uint8Array.from({ length: 256 }, (_, byte) => (ID_BYTES.has(byte) ? 1 : 0));

const CODE = { V: 0x56, L: 0x4c, B: 0x42, dot: 0x2e, comma: 0x2c, zero: 0x30, one: 0x31 } as const;

const NO_HEAD = { type: undefined, id: '' } as const;

/** Type and id; no type means absent or foreign. The scripts read them by the same rules. */
export function readHead(bytes: Buffer | undefined): { type: RecordType | undefined; id: string } {
  const type = bytes && typeOf(bytes);
  return type ? { type, id: idOf(bytes) } : NO_HEAD;
}

const idOf = (bytes: Buffer): string => bytes.toString('latin1', ID_AT, FMT_AT);

/** No text begins like this by chance: an id of ours; for a lease, then the end or a comma; dots, then a taint byte. */
function typeOf(bytes: Buffer): RecordType | undefined {
  if (bytes.length < FMT_AT) return undefined;
  const next = bytes[FMT_AT];
  switch (bytes[0]) {
    case CODE.V:
      return hasId(bytes) ? 'V' : undefined;
    case CODE.L:
      return (next === undefined || next === CODE.comma) && hasId(bytes) ? 'L' : undefined;
    case CODE.B:
      return (next === CODE.zero || next === CODE.one) && isDotted(bytes) ? 'B' : undefined;
    default:
      return undefined;
  }
}

function hasId(bytes: Buffer): boolean {
  for (let i = ID_AT; i < FMT_AT; i++) if (IS_ID_BYTE[bytes[i]!] === 0) return false;
  return true;
}

function isDotted(bytes: Buffer): boolean {
  for (let i = ID_AT; i < FMT_AT; i++) if (bytes[i] !== CODE.dot) return false;
  return true;
}

const FOREIGN: StoredRecord = { type: 'foreign', id: '' };

/** What the bytes at a key are. Never throws; the payload is a view of `bytes`. */
export function readRecord(bytes: Buffer): StoredRecord {
  const type = typeOf(bytes);
  if (type === undefined) return FOREIGN;
  const id = idOf(bytes);
  if (type === 'V') return readValue(bytes, id) ?? { type: 'foreign', id };
  return { type: type === 'L' ? 'lease' : 'barrier', id };
}

function readValue(bytes: Buffer, id: string): StoredRecord | undefined {
  const end = bytes.length - CRC_BYTES;
  if (end < FIELDS_AT || bytes[FMT_AT] !== FMT) return undefined;
  const flags = bytes.readUInt16BE(FLAGS_AT);
  const kind = KINDS[flags & 0b11];
  const serializer = SERIALIZERS[(flags >> SERIALIZER_SHIFT) & 0b111];
  if (!kind || !serializer || (flags & ~KNOWN_FLAGS) !== 0) return undefined;
  const crc = kind === 'counter' ? 0 : checksum(bytes, end);
  const softAt = bytes.readDoubleBE(SOFT_AT);
  if (bytes.readUInt32BE(end) !== crc || !(softAt >= 0 && softAt < Infinity)) return undefined;

  const header: EntryHeader = {
    kind,
    isNull: (flags & NULL_FLAG) !== 0,
    serializer,
    graceMs: bytes.readUInt32BE(GRACE_AT),
    c0: bytes.readDoubleBE(C0_AT),
    topologyId: bytes.readUInt32BE(TOPOLOGY_AT),
  };
  const payloadAt =
    flags < FIRST_FIELD ? FIELDS_AT : readFields(bytes.subarray(0, end), flags, header);
  if (payloadAt === undefined) return undefined;
  return { type: 'value', id, softAt, header, payload: bytes.subarray(payloadAt, end) };
}

/** Puts the optional fields into `header`; where the payload begins, or undefined if a field is malformed. */
function readFields(bytes: Buffer, flags: number, header: EntryHeader): number | undefined {
  let at = FIELDS_AT;
  for (const { flag, name, form } of FIELDS) {
    if (!(flags & flag)) continue;
    const field = readLengthed(bytes, at);
    const value = field && form.unpack(field);
    if (value === undefined) return undefined;
    Object.assign(header, { [name]: value });
    at += LENGTH_BYTES + field!.length;
  }
  return at;
}

/** The record from `fmt` on, with `softAt` 0; the store puts type, id and `softAt` in. */
export function writeBody(header: EntryHeader, payload: Buffer): Buffer {
  let flags = KINDS.indexOf(header.kind) | (header.isNull ? NULL_FLAG : 0);
  flags |= SERIALIZERS.indexOf(header.serializer) << SERIALIZER_SHIFT;
  const fields: Buffer[] = [];
  for (const { flag, name, form } of FIELDS) {
    const value = header[name];
    if (value === undefined) continue;
    flags |= flag;
    fields.push(...lengthed((form as Form<unknown>).pack(value)));
  }

  const content = [...fields, payload];
  const end = content.reduce((at, part) => at + part.length, FIELDS_AT);
  // Written as a whole record, so that offsets are those of the layout, and cut where the body begins.
  const record = Buffer.allocUnsafe(end + CRC_BYTES);
  record[FMT_AT] = FMT;
  record.writeUInt16BE(flags, FLAGS_AT);
  record.writeDoubleBE(0, SOFT_AT);
  record.writeUInt32BE(Math.min(header.graceMs, MAX_UINT32), GRACE_AT);
  record.writeDoubleBE(header.c0, C0_AT);
  record.writeUInt32BE(header.topologyId, TOPOLOGY_AT);
  content.reduce((at, part) => at + part.copy(record, at), FIELDS_AT);
  record.writeUInt32BE(header.kind === 'counter' ? 0 : checksum(record, end), end);
  return record.subarray(FMT_AT);
}

/** Over what no script rewrites. zlib.crc32 is in Node since 20.15 and 22.2. */
function checksum(record: Buffer, end: number): number {
  return crc32(record.subarray(GRACE_AT, end), checksumOfFlags(record.readUInt16BE(FLAGS_AT)));
}

/** Over `fmt` and the flags; 0: not computed yet. Most entries of an application have the same flags. */
const FLAG_CHECKSUMS = new Uint32Array(KNOWN_FLAGS + 1);

function checksumOfFlags(flags: number): number {
  return (FLAG_CHECKSUMS[flags] ||= crc32(Buffer.of(FMT, flags >> 8, flags & 0xff)));
}
