import type { Algorithm } from '../codec/compression.js';
import { IsEncryptionKeys, IsNumberFrom, IsOneOf } from './option-rules.js';

/** Values and responses are stored compressed where that makes them smaller. Every process reads them, whatever it is set to. */
export class CompressionOptions {
  /**
   * Bytes from which on a serialised value is compressed, a whole number from 1.
   * @default 1024
   */
  @IsNumberFrom({ min: 1, max: Number.MAX_SAFE_INTEGER, whole: true })
  threshold?: number = 1024;

  /**
   * `gzip` and `deflate` are alike; `brotli` makes JSON about a sixth smaller than they do, in half as much time again.
   * @default 'gzip'
   */
  @IsOneOf('gzip', 'brotli', 'deflate')
  algorithm?: Algorithm = 'gzip';
}

export interface EncryptionKey {
  /** Stands in every entry, in the clear: 1 to 64 characters of A-Z a-z 0-9 . _ - */
  id: string;
  /**
   * 32 bytes: as a Buffer, in base64 or in hex (`openssl rand -base64 32`). From any other text, of at least 32 characters, the key
   * is derived by HKDF; that makes no secret of a password that somebody could guess.
   */
  secret: string | Uint8Array;
}

/**
 * Values and responses are stored encrypted, by AES-256-GCM, and each can be read at its own key only. Keys, tags, versions,
 * times and sizes are not hidden.
 */
export class EncryptionOptions {
  /** The first one writes, all of them read. Needed. */
  @IsEncryptionKeys()
  keys?: readonly EncryptionKey[];

  /**
   * What becomes of entries that are not encrypted, which anybody who can write to Redis may have made: `miss`; `counters` reads
   * those that `increment` counts, which Redis itself has to understand; `read` reads all, while the option is being introduced.
   * @default 'miss'
   */
  @IsOneOf('miss', 'counters', 'read')
  unencrypted?: 'miss' | 'counters' | 'read' = 'miss';
}
