import type { EntryStore } from '../../../lib/store/entry-store.js';

/** An entry store, and what a test must be able to do behind its back. */
export interface StoreBackend {
  readonly store: EntryStore;
  /** Under which the store registers for wakes. */
  readonly instance: string;
  /** The bytes at the key, read past the store. */
  peek(key: string): Promise<Buffer | null>;
  /** Puts any bytes there, past the store; null: nothing, as after an expiry. */
  put(key: string, bytes: Buffer | null): Promise<void>;
  /** Every wake sent so far, in order, as `instance key`. */
  wakes(): Promise<string[]>;
  /** Wall time of whoever writes `softAt`. */
  now(): Promise<number>;
  close(): Promise<void>;
}

export const INSTANCE = 'instance-A';
