import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import { types } from 'node:util';
import { CacheSerializationError } from '../common/errors.js';

const METHOD = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** What a payload grows by. */
export const ENCRYPTION_BYTES = NONCE_BYTES + TAG_BYTES;

/** Shorter texts hold too little chance to be a secret. */
const TEXT_CHARACTERS = 32;
export const SECRET_ACCEPTED = `${KEY_BYTES} bytes as a Buffer, in base64 or in hex, or a text of at least ${TEXT_CHARACTERS} characters`;

/**
 * The key that a secret stands for: 32 bytes as they are, or text that spells exactly 32 bytes in hex (64 digits) or base64
 * (43 characters, or 44 with `=`); of any other text of at least 32 characters it is derived by HKDF-SHA256. Undefined: none.
 */
export function keyOfSecret(secret: unknown): KeyObject | undefined {
  if (types.isUint8Array(secret))
    return secret.byteLength === KEY_BYTES ? createSecretKey(secret) : undefined;
  if (typeof secret !== 'string') return undefined;
  if (/^[0-9a-f]{64}$/i.test(secret)) return createSecretKey(secret, 'hex');
  if (/^[\w+/-]{43}=?$/.test(secret)) return createSecretKey(secret, 'base64');
  if (secret.length < TEXT_CHARACTERS) return undefined;
  const derived = hkdfSync('sha256', secret, '', 'nestjs-redis-cache entries', KEY_BYTES);
  return createSecretKey(Buffer.from(derived));
}

export interface EncryptionSettings {
  /** The first one writes, all of them read. */
  readonly keys: readonly { readonly id: string; readonly key: KeyObject }[];
  /** Which entries are read although they are not encrypted: none, counters, or all. */
  readonly unencrypted: 'miss' | 'counters' | 'read';
}

/** Where a payload belongs: nowhere else can it be read. */
export interface Place {
  readonly redisKey: string;
  /** The entry's header as bytes. */
  readonly header: Buffer;
}

/**
 * AES-256-GCM: nonce, ciphertext, tag. Each Redis key is encrypted with a key of its own, made from the secret: so nonces
 * may be drawn at random without any bound on the number of entries, and an entry that was copied to another key cannot be
 * read. The header is bound by being authenticated along with the payload.
 */
export class Encryption {
  private readonly keys: ReadonlyMap<string, KeyObject>;
  /** Of the key that writes. */
  readonly keyId: string;
  readonly unencrypted: EncryptionSettings['unencrypted'];

  constructor({ keys, unencrypted }: EncryptionSettings) {
    this.keys = new Map(keys.map(({ id, key }) => [id, key]));
    this.keyId = keys[0]!.id;
    this.unencrypted = unencrypted;
  }

  encrypt(payload: Buffer, { redisKey, header }: Place): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const key = entryKey(this.keys.get(this.keyId)!, redisKey);
    const cipher = createCipheriv(METHOD, key, nonce, { authTagLength: TAG_BYTES }).setAAD(header);
    const ciphertext = cipher.update(payload);
    return Buffer.concat([nonce, ciphertext, cipher.final(), cipher.getAuthTag()]);
  }

  /** Throws `CacheSerializationError` for anything but what was encrypted for that very place. */
  decrypt(bytes: Buffer, keyId: string, { redisKey, header }: Place): Buffer {
    const key = this.keys.get(keyId);
    if (!key) throw new CacheSerializationError(UNKNOWN_KEY);
    if (bytes.length < ENCRYPTION_BYTES) throw new CacheSerializationError(NOT_OURS);
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv(METHOD, entryKey(key, redisKey), nonce, {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(header).setAuthTag(bytes.subarray(-TAG_BYTES));
    const payload = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
    try {
      return Buffer.concat([payload, decipher.final()]);
    } catch {
      throw new CacheSerializationError(NOT_OURS);
    }
  }
}

const UNKNOWN_KEY =
  'The entry is encrypted with a key that is not among those of the option encryption; it will be replaced';
const NOT_OURS =
  'The entry was not encrypted for this key and header, or has been changed since; it will be replaced';

const entryKey = (key: KeyObject, redisKey: string): Buffer =>
  createHmac('sha256', key).update(redisKey).digest();
