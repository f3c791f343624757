import type { Duration } from '../common/duration.js';
import { CacheOptionsError, CacheSerializationError } from '../common/errors.js';
import { aLife, problemsOf, shown } from '../common/option-checks.js';
import type { Key } from '../keys/encode-key.js';
import { rawKeyOf, type KeySpace } from '../keys/key-space.js';
import type { Reporter } from '../observe/reporter.js';
import type { RawStore } from '../store/raw-store.js';
import type { CallModes } from './call-mode.js';
import { additionOf, refusal, type Addition, type CounterOptions } from './counters.js';
import { SET_OPTIONS } from './entry.options.js';
import { goOnWithout } from './failure.js';
import { lifeMs } from './life.options.js';
import type { CacheSettings } from './settings.js';

/** Options of one raw string. */
export interface RawSetOptions {
  /** How long it is kept; Infinity: it does not expire. Default: the module's `ttl`. */
  ttl?: Duration;
  /** Store only if there is nothing yet, or only if there is something; otherwise `set` gives false. */
  if?: 'absent' | 'present';
}

export interface RawParts {
  readonly store: RawStore;
  readonly settings: CacheSettings;
  readonly reporter: Reporter;
  readonly modes: CallModes;
}

const RULES = { ttl: aLife, if: SET_OPTIONS.if };

/**
 * Plain Redis strings beside the entries, to be shared with other programs: `keyOf` says where one lies. They are apart from
 * the entry of the same key, have neither tags nor copies in the process, and `clear`, `evictTags`, `evictPattern` and `keys`
 * know nothing of them. Where Redis cannot be reached, reads give undefined and `set` false (`failure: 'open'`); `evict` and
 * `increment` reject.
 */
export class RawStrings {
  readonly #parts: RawParts;
  readonly #space: KeySpace;

  /** Made by `CacheService.raw`. */
  constructor(parts: RawParts, space: KeySpace) {
    this.#parts = parts;
    this.#space = space;
  }

  /** The Redis key, for other programs: `cache:sk` and the key, as it is where it has neither blanks nor any of `% { }`. */
  keyOf(key: Key): string {
    return rawKeyOf(this.#space.entry(key));
  }

  /** Its bytes as UTF-8. */
  async get(key: Key): Promise<string | undefined> {
    return (await this.getBuffer(key))?.toString();
  }

  async getBuffer(key: Key): Promise<Buffer | undefined> {
    const redisKey = this.keyOf(key);
    if (this.#parts.modes.readsNothing) return undefined;
    const bytes = await this.#orElse('raw.get', null, () => this.#parts.store.get(redisKey));
    return bytes ?? undefined;
  }

  /** Text is stored as UTF-8. False: refused by `if`, or Redis cannot be reached. */
  async set(key: Key, value: string | Uint8Array, options: RawSetOptions = {}): Promise<boolean> {
    const { store, settings, modes } = this.#parts;
    const redisKey = this.keyOf(key);
    const problems = problemsOf(options, RULES);
    if (problems.length > 0) throw new CacheOptionsError('raw.set', problems);
    const ttlMs = options.ttl === undefined ? settings.ttlMs : lifeMs(options.ttl, 'ttl');
    const request = { ttlMs: ttlMs === Infinity ? 0 : ttlMs, only: options.if };
    const bytes = bytesOf(value, settings.maxValueBytes);
    if (modes.storesNothing) return false;
    return this.#orElse('raw.set', false, () => store.set(redisKey, bytes, request));
  }

  /** Whether it was there. Rejects where Redis cannot be reached, and does not try again. */
  async evict(key: Key): Promise<boolean> {
    const { store, reporter } = this.#parts;
    return reporter.told('raw.evict', store.evict(this.keyOf(key)));
  }

  /** What is left of its life in ms; Infinity: it does not expire; undefined: there is none. */
  async ttl(key: Key): Promise<number | undefined> {
    const redisKey = this.keyOf(key);
    return this.#orElse('raw.ttl', undefined, () => this.#parts.store.ttl(redisKey));
  }

  /** As `CacheService.increment`, on the decimal text that INCRBY of another program counts on as well. */
  async increment(key: Key, by = 1, options?: CounterOptions): Promise<number> {
    return this.#add(key, additionOf('raw.increment', by, options));
  }

  async decrement(key: Key, by = 1, options?: CounterOptions): Promise<number> {
    return this.#add(key, additionOf('raw.decrement', by, options));
  }

  async #add(key: Key, addition: Addition): Promise<number> {
    const entry = this.#space.entry(key);
    const { operation } = addition;
    const { store, reporter } = this.#parts;
    const sum = await reporter.told(operation, store.increment(rawKeyOf(entry), addition));
    if (sum.state === 'counted') return sum.count;
    throw refusal(sum.state, operation, entry);
  }

  async #orElse<T>(operation: string, other: T, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      goOnWithout(this.#parts, { operation, returning: other ?? undefined }, error);
      return other;
    }
  }
}

function bytesOf(value: unknown, maxBytes: number): Buffer {
  const isText = typeof value === 'string';
  if (!isText && !ArrayBuffer.isView(value))
    throw new CacheSerializationError(
      `A raw string is a text or bytes (Buffer, Uint8Array), and was ${shown(value)}`,
    );
  const bytes = isText
    ? Buffer.from(value)
    : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes.length <= maxBytes) return bytes;
  throw new CacheSerializationError(
    `The value has ${bytes.length} bytes, more than the ${maxBytes} of the option maxValueBytes`,
  );
}
