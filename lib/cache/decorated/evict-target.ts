import type { Key } from '../../keys/encode-key.js';
import { compileGlob } from '../../keys/glob.js';
import { assertTags } from '../../tags/tag-names.js';
import { afterCommit, type Committing } from '../after-commit.js';
import type { CacheEngine } from '../cache-engine.js';
import type { Evicting } from './compile.js';

/** The ways in which a cache is told to evict. */
export type Evictable = Pick<
  CacheEngine,
  'keySpace' | 'evict' | 'evictTags' | 'evictPattern' | 'clear'
> & { readonly parts: Committing };

/** Evicts these keys, tags or patterns, or all; within a transaction, once that has committed. */
export async function evictFrom(
  cache: Evictable,
  evicting: Evicting,
  values: readonly unknown[],
  failure: 'throw' | 'queue',
): Promise<void> {
  const evict = evictOf(cache, evicting, values, failure);
  if (evicting.when === 'before' || evicting.afterCommit === false) return void (await evict());
  await afterCommit(cache.parts, evict, { asked: evicting.afterCommit === true });
}

/** Which keys those are is settled now, and whether they are keys, tags or patterns. */
function evictOf(
  cache: Evictable,
  { target, namespace }: Evicting,
  values: readonly unknown[],
  failure: 'throw' | 'queue',
): () => Promise<unknown> {
  const space = cache.keySpace(namespace);
  switch (target.kind) {
    case 'keys': {
      const keys = space.entries(values as readonly Key[]);
      return () => cache.evict(keys, failure);
    }
    case 'tags':
      assertTags('evictTags', values);
      return () => cache.evictTags(space.path, values as string[], failure);
    case 'patterns': {
      for (const glob of values) compileGlob(glob as string);
      const evict = (glob: unknown) => cache.evictPattern(space, glob as string, { failure });
      return () => Promise.all(values.map(evict));
    }
    case 'all':
      return () => cache.clear(space.path, failure);
  }
}
