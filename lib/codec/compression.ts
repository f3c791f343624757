import { promisify } from 'node:util';
import {
  brotliCompress,
  brotliCompressSync,
  brotliDecompress,
  brotliDecompressSync,
  constants,
  deflate,
  deflateSync,
  gunzip,
  gunzipSync,
  gzip,
  gzipSync,
  inflate,
  inflateSync,
} from 'node:zlib';

/** In an order that does not change: an entry says which one it is by its place. */
export const ALGORITHMS = ['gzip', 'brotli', 'deflate'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export interface CompressionSettings {
  /** Smaller payloads stay as they are. */
  readonly threshold: number;
  readonly algorithm: Algorithm;
}

/** What has been done to a payload. */
export interface Compressed {
  readonly algorithm: Algorithm;
  /** Bytes before compression. */
  readonly from: number;
}

/**
 * Up to here in the calling thread, where it takes less than half a millisecond, and the way to a thread of the pool and
 * back would take as long; larger ones in the pool, because 1 MiB takes 2 to 10 ms.
 */
const SYNC_BYTES = 32 * 1024;

/** A sixth smaller at the default levels, for twice the time; and with brotli's, 1 MiB would take more than a second. */
const LEVEL = { level: 3 };
const QUALITY = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };

type Bound = { maxOutputLength: number };

interface Method {
  pack(bytes: Buffer): Buffer;
  packAside(bytes: Buffer): Promise<Buffer>;
  unpack(bytes: Buffer, bound: Bound): Buffer;
  unpackAside(bytes: Buffer, bound: Bound): Promise<Buffer>;
}

const METHODS: Readonly<Record<Algorithm, Method>> = {
  gzip: {
    pack: (bytes) => gzipSync(bytes, LEVEL),
    packAside: (bytes) => promisify(gzip)(bytes, LEVEL),
    unpack: gunzipSync,
    unpackAside: promisify(gunzip),
  },
  brotli: {
    pack: (bytes) => brotliCompressSync(bytes, QUALITY),
    packAside: (bytes) => promisify(brotliCompress)(bytes, QUALITY),
    unpack: brotliDecompressSync,
    unpackAside: promisify(brotliDecompress),
  },
  deflate: {
    pack: (bytes) => deflateSync(bytes, LEVEL),
    packAside: (bytes) => promisify(deflate)(bytes, LEVEL),
    unpack: inflateSync,
    unpackAside: promisify(inflate),
  },
};

/** The payload and how it is compressed; undefined: it is as it was, because that is no larger. */
export async function compress(
  payload: Buffer,
  { threshold, algorithm }: CompressionSettings,
): Promise<{ payload: Buffer; compressed: Compressed | undefined }> {
  const from = payload.length;
  if (from < threshold) return { payload, compressed: undefined };
  const { pack, packAside } = METHODS[algorithm];
  const smaller = from <= SYNC_BYTES ? pack(payload) : await packAside(payload);
  return smaller.length < from
    ? { payload: smaller, compressed: { algorithm, from } }
    : { payload, compressed: undefined };
}

/**
 * The payload as it was, at once where it is small; never more bytes than the entry says. Throws or rejects for anything that
 * was not compressed like this.
 */
export function decompress(
  payload: Buffer,
  { algorithm, from }: Compressed,
): Buffer | Promise<Buffer> {
  const { unpack, unpackAside } = METHODS[algorithm];
  const bound = { maxOutputLength: from };
  const whole = (bytes: Buffer): Buffer => {
    if (bytes.length !== from) throw new RangeError('not as long as the entry says');
    return bytes;
  };
  return from <= SYNC_BYTES
    ? whole(unpack(payload, bound))
    : unpackAside(payload, bound).then(whole);
}
