import type { Key } from '../../keys/encode-key.js';
import type { CacheEngine } from '../cache-engine.js';
import type { Evicting } from './compile.js';

/** The ways in which a cache is told to evict. */
export type Evictable = Pick<
  CacheEngine,
  'keySpace' | 'evict' | 'evictTags' | 'evictPattern' | 'clear'
>;

/** Evicts these keys, tags or patterns, or all. */
export async function evictFrom(
  cache: Evictable,
  { target, namespace }: Evicting,
  values: readonly unknown[],
  failure: 'throw' | 'queue',
): Promise<unknown> {
  const space = cache.keySpace(namespace);
  switch (target.kind) {
    case 'keys': {
      const keys = values.map((key) => space.entry(key as Key));
      return cache.evict(keys, failure);
    }
    case 'tags':
      return cache.evictTags(space.path, values as string[], failure);
    case 'patterns': {
      const evict = (glob: unknown) => cache.evictPattern(space, glob as string, { failure });
      return Promise.all(values.map(evict));
    }
    case 'all':
      return cache.clear(space.path, failure);
  }
}
