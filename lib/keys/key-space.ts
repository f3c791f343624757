import { CacheKeyError } from '../common/errors.js';
import type { Shortcut } from '../common/shortcut.js';
import {
  describe,
  encodeKey,
  MAX_DIGEST_BYTES,
  MAX_SPELLED_BYTES,
  type Key,
} from './encode-key.js';

/** A key of the user and where it lives in Redis. */
export interface EntryKey {
  readonly given: Key;
  /** Complete, at most 300 bytes. */
  readonly redisKey: string;
  /** The whole key where `redisKey` holds only its digest; belongs into the entry's header. */
  readonly digestOf?: string;
  /** To the copy in this process, of a key that is remembered. */
  readonly shortcut?: Shortcut | undefined;
}

/** Names of namespaces, and so the segments of a path: no `/`, no `:`, nothing that a pattern or a hash tag could mean. */
const NAME = /^[A-Za-z0-9._-]{1,64}$/;

const MAX_REDIS_KEY_BYTES = 300;
/** Keys remembered in a namespace; beyond, all are forgotten. */
const MOST_KNOWN = 10_000;
/** So many are not remembered where the last ones were hardly asked for again: to remember one takes longer than to put it together. */
const UNKNOWN_AFTER_THAT = 100_000;
/** The `:` behind the path, the kind letter of the entry, and one more for records kept beside an entry. */
const GLUE_BYTES = 3;
const MAX_PATH = MAX_REDIS_KEY_BYTES - GLUE_BYTES - (MAX_DIGEST_BYTES - 1);

/**
 * One namespace: the only place where parts of a Redis key are glued together, as `path:key`. A path is the root's name and
 * those of the nested namespaces, joined by `/`; it never holds a `:`, so no key of one namespace is one of another.
 */
export class KeySpace {
  /** The name of the outermost namespace. */
  readonly root: string;
  private readonly prefix: string;
  /** Under a long path keys become digests sooner, so that the Redis key stays within its bound. */
  private readonly maxSpelledBytes: number;
  /** To put a key together, and to find a text that is new, takes longer than the rest of a hit in this process. */
  private known = new Map<string, EntryKey>();
  /** Times that one of them was asked for again. */
  private again = 0;
  private unremembered = 0;

  constructor(readonly path: string) {
    const names = path.split('/');
    for (const name of names) assertName(name);
    if (path.length > MAX_PATH)
      throw new CacheKeyError(
        `The path of nested namespaces "${path}" has ${path.length} characters; at most ${MAX_PATH} leave room for a key`,
      );
    this.root = names[0]!;
    this.prefix = `${path}:`;
    this.maxSpelledBytes = Math.min(
      MAX_SPELLED_BYTES,
      MAX_REDIS_KEY_BYTES - GLUE_BYTES - path.length,
    );
  }

  /** Throws `CacheKeyError` for what is no key. */
  entry(key: Key): EntryKey {
    if (typeof key !== 'string' || key.length > this.maxSpelledBytes) return this.encoded(key);
    const known = this.known.get(key);
    if (known) {
      this.again++;
      return known;
    }
    if (this.unremembered > 0) {
      this.unremembered--;
      return this.encoded(key);
    }
    const entry = this.encoded(key, { copy: undefined });
    if (this.known.size >= MOST_KNOWN) this.forget();
    this.known.set(key, entry);
    return entry;
  }

  private forget(): void {
    if (this.again < MOST_KNOWN) this.unremembered = UNKNOWN_AFTER_THAT;
    this.known = new Map();
    this.again = 0;
  }

  private encoded(key: Key, shortcut?: Shortcut): EntryKey {
    const { text, digestOf } = encodeKey(key, this.maxSpelledBytes);
    return { given: key, redisKey: this.prefix + text, digestOf, shortcut };
  }

  /** Throws `CacheKeyError` for what is no array, or has something in it that is no key. */
  entries(keys: readonly Key[]): EntryKey[] {
    if (!Array.isArray(keys))
      throw new CacheKeyError(`The keys are ${describe(keys)}; accepted is an array of keys`);
    const entries: EntryKey[] = [];
    // A hole is no key either; map would leave it out.
    for (let i = 0; i < keys.length; i++) entries.push(this.entry(keys[i] as Key));
    return entries;
  }

  /** The namespace `name` within this one. Throws `CacheKeyError` for a bad name. */
  child(name: string): KeySpace {
    assertName(name);
    return new KeySpace(`${this.path}/${name}`);
  }
}

/** Where the lease of a refresh lies, while the entry itself keeps its value. A path holds no `:`, so the first one ends it. */
export const refreshKeyOf = (key: EntryKey): string => key.redisKey.replace(':', ':r');

/** Where the lock of that name lies; it has nothing to do with an entry of the same name. */
export const lockKeyOf = (key: EntryKey): string => key.redisKey.replace(':', ':l');

/** Where the raw string of that key lies, for whoever else reads it. */
export const rawKeyOf = (key: EntryKey): string => key.redisKey.replace(':', ':s');

function assertName(name: unknown): void {
  if (typeof name === 'string' && NAME.test(name)) return;
  const given =
    typeof name === 'string' ? JSON.stringify(name.slice(0, 80)) : `a value of type ${typeof name}`;
  throw new CacheKeyError(
    `The namespace ${given} cannot be used; accepted are 1 to 64 of the characters A-Z a-z 0-9 . _ -`,
  );
}
