import type { ValueRecord } from '../entry.js';
import type { OpenedEntry } from './opened-entry.js';

/** A record, and what was made of it. */
export interface Before {
  readonly bytes: Buffer;
  readonly record: ValueRecord;
  readonly value: OpenedEntry;
}

/** Bytes of all records that are kept. */
const MOST_BYTES = 2 * 1_024 * 1_024;
/** A larger one would take the place of too many others. */
const LARGEST = 64 * 1_024;
/** Keys remembered that were read once; beyond, all are forgotten. */
const MOST_KEYS = 10_000;
/** Where there is no room, one in so many is kept, in the place of the oldest: where far more is read, little is copied in vain. */
const ONE_IN = 32;
/** So many that there was no room for, and none that was found meanwhile: what is kept is not read any more. */
const MOST_IN_VAIN = 5_000;

/**
 * Values by the very bytes that they were made from. Who reads past the copies of this process asks Redis each time, and mostly
 * gets what he got before: to compare that takes a tenth of what it takes to check, to parse and to freeze it. As
 * nothing but what has just come from Redis is looked up, there is nothing to outdate.
 */
export class OpenedBefore {
  /** What was opened last: the readers of one tick have the same bytes, not only equal ones. */
  private last: Before | undefined;
  private readonly kept = new Map<string, Before>();
  private keptBytes = 0;
  /** Turned away since one of the kept was found. */
  private inVain = 0;
  private readonly readOnce = new Set<string>();

  find(redisKey: string, bytes: Buffer): Before | undefined {
    if (bytes === this.last?.bytes) return this.last;
    const before = this.kept.get(redisKey);
    if (!before?.bytes.equals(bytes)) return undefined;
    this.inVain = 0;
    return before;
  }

  /** It is kept if its key was read before, because most are not read again. */
  note(redisKey: string, opened: Before): void {
    if (!this.last) queueMicrotask(() => (this.last = undefined));
    this.last = opened;
    const isKnown = this.drop(redisKey) || this.readOnce.has(redisKey);
    if (!isKnown) this.remember(redisKey);
    else if (this.hasRoomFor(opened)) this.keep(redisKey, opened);
  }

  private remember(redisKey: string): void {
    if (this.readOnce.size >= MOST_KEYS) this.readOnce.clear();
    this.readOnce.add(redisKey);
  }

  private hasRoomFor(opened: Before): boolean {
    const bytes = bytesOf(opened);
    if (bytes > LARGEST) return false;
    if (this.keptBytes + bytes <= MOST_BYTES) return true;
    if (++this.inVain < MOST_IN_VAIN) return Math.random() * ONE_IN < 1;
    this.forget();
    return true;
  }

  private keep(redisKey: string, { bytes, record, value }: Before): void {
    // What came from Redis is a view of a whole chunk of replies; one of Node's pool would hold on to that.
    const own = Buffer.allocUnsafeSlow(bytes.length);
    bytes.copy(own);
    const at = record.payload.byteOffset - bytes.byteOffset;
    const payload = own.subarray(at, at + record.payload.length);
    const before = { bytes: own, record: { ...record, payload }, value };
    this.readOnce.delete(redisKey);
    this.kept.set(redisKey, before);
    this.keptBytes += bytesOf(before);
    for (const oldest of this.kept.keys()) {
      if (this.keptBytes <= MOST_BYTES) break;
      this.drop(oldest);
    }
  }

  private forget(): void {
    this.kept.clear();
    this.keptBytes = 0;
    this.inVain = 0;
  }

  /** False: it is not there. */
  private drop(redisKey: string): boolean {
    const before = this.kept.get(redisKey);
    if (!before) return false;
    this.keptBytes -= bytesOf(before);
    return this.kept.delete(redisKey);
  }
}

/** Of a compressed one, those of the value. */
const bytesOf = ({ bytes, record }: Before): number =>
  record.header.compressed?.from ?? bytes.length;
