import { isThere, spread } from '../growth/along.js';
import type { Cache } from './cache.js';
import { cat } from './cats.js';

export interface Load {
  /** At the same time. */
  readonly callers: number;
  /** Of all callers together. */
  readonly calls: number;
}

const KEYS = 2_000;
/** Each of them once. */
export const EVERY_KEY: Load = { callers: 100, calls: KEYS };
export const KEYS_TOGETHER = 100;

let fresh = 0;

/** What a cache is asked for, call by call; undefined: it has nothing of the kind. */
export const WORKS = {
  setHot:
    ({ set }: Cache, bytes: number) =>
    () =>
      set('hot', cat(1, bytes)),
  getHot:
    ({ get }: Cache) =>
    () =>
      get('hot').then(isThere),
  getOrSetHot: ({ getOrSet }: Cache) => getOrSet && (() => getOrSet('hot', never)),
  get:
    ({ get }: Cache, bytes: number) =>
    (n: number) =>
      get(keyOf(bytes, n)).then(isThere),
  getMany: ({ getMany }: Cache, bytes: number) =>
    getMany && ((n: number) => getMany(manyKeys(bytes, n)).then(isAll)),
  set: ({ set }: Cache, bytes: number) => {
    const value = cat(1, bytes);
    return (n: number) => set(keyOf(bytes, n), value);
  },
  getOrSetMissing: ({ getOrSet }: Cache, bytes: number) => {
    const value = cat(1, bytes);
    return getOrSet && (() => getOrSet(`fresh:${fresh++}`, async () => value));
  },
};

export type Work = keyof typeof WORKS;

function keyOf(bytes: number, n: number): string {
  return `cat:${bytes}:${spread(n, KEYS)}`;
}

function manyKeys(bytes: number, n: number): string[] {
  return Array.from({ length: KEYS_TOGETHER }, (_, i) => keyOf(bytes, n * KEYS_TOGETHER + i));
}

function isAll(found: number): void {
  if (found !== KEYS_TOGETHER) throw new Error(`${found} of ${KEYS_TOGETHER} have been found`);
}

function never(): never {
  throw new Error('A miss, where a hit is measured');
}
