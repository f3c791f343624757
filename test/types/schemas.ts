/** What the compiler infers from schemas: checked by `npm run lint`, never run. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import * as z from 'zod';
import type { CacheService, StandardSchema } from '../../lib/index.js';

declare const cache: CacheService;
declare const specified: StandardSchemaV1<string, Date>;

const User = z.object({ id: z.number(), born: z.string().transform((text) => new Date(text)) });
type Stored = z.input<typeof User>;
type Read = z.output<typeof User>;

export const ofTheSpecification: StandardSchema<string, Date> = specified;
export const forTheSpecification: StandardSchemaV1<Stored, Read> = User as StandardSchema<
  Stored,
  Read
>;

export const read: Promise<Read | undefined> = cache.get('user:7', { schema: User });
export const several: Promise<Map<unknown, Read>> = cache.getMany(['user:7'], { schema: User });
export const loaded: Promise<Read> = cache.getOrSet('user:7', () => ({ id: 7, born: '2000' }), {
  schema: User,
  ttl: '5m',
});
export const severalLoaded: Promise<Map<unknown, Read>> = cache.getOrSetMany(
  ['user:7'],
  async (missing) => missing.map((key) => [key, { id: 7, born: '2000' }]),
  { schema: User },
);
export const taken: Promise<Read | undefined> = cache.take('user:7', { schema: User });
export const written: Promise<boolean> = cache.set('user:7', { id: 7 }, { schema: User });

// @ts-expect-error: the loader gives something else than the schema takes
void cache.getOrSet('user:7', () => ({ id: 7, born: 2000 }), { schema: User });

// @ts-expect-error: the same for many
void cache.getOrSetMany(['user:7'], () => [['user:7', { id: 7, born: 2000 }]], { schema: User });

// @ts-expect-error: what is taken is what the schema makes of it
export const asStored: Promise<Stored | undefined> = cache.take('user:7', { schema: User });

// @ts-expect-error: no schema
void cache.get('user:7', { schema: { parse: () => 1 } });
