/** What the compiler infers from keys: checked by `npm run lint`, never run. */
import {
  Cacheable,
  CachePut,
  typedKey,
  type CacheService,
  type Key,
  type KeyOf,
  type TypedKey,
} from '../../lib/index.js';

interface User {
  id: number;
  name: string;
}

/** Accepts `true` where both are the very same type. */
declare function same<A, B>(
  yes: (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false,
): void;

const userKey = (id: number): TypedKey<User> => typedKey<User>(['user', id]);
const nameKey = (id: number): TypedKey<string> => typedKey<string>(`name:${id}`);
const ageKey = typedKey<number | null>('age');

export async function typedKeys(cache: CacheService): Promise<void> {
  const user = await cache.get(userKey(1));
  same<typeof user, User | undefined>(true);
  const name = await cache.get(nameKey(1));
  same<typeof name, string | undefined>(true);
  const age = cache.peek(ageKey);
  same<typeof age, number | null | undefined>(true);
  // @ts-expect-error: a user is stored there
  await cache.get<string>(userKey(1));

  await cache.set(userKey(1), { id: 1, name: 'Kim' });
  // @ts-expect-error: no name
  await cache.set(userKey(1), { id: 1 });
  // @ts-expect-error: not nullable
  await cache.set(userKey(1), null);
  await cache.set(ageKey, null);

  const loaded = await cache.getOrSet(userKey(1), async () => ({ id: 1, name: 'Kim', more: 1 }));
  same<typeof loaded, User>(true);
  const loadedAge = await cache.getOrSet(ageKey, () => 7);
  same<typeof loadedAge, number | null>(true);
  // @ts-expect-error: the loader gives no user
  await cache.getOrSet(userKey(1), async () => ({ id: 1 }));
  // @ts-expect-error: nor here
  await cache.getOrSet(userKey(1), () => null);

  const users = await cache.getMany([userKey(1), userKey(2)]);
  same<typeof users, Map<Key, User>>(true);
  const mapped = await cache.getMany([1, 2].map(userKey));
  same<typeof mapped, Map<Key, User>>(true);
  await cache.setMany([[userKey(1), { id: 1, name: 'Kim' }]]);
  // @ts-expect-error: no name
  await cache.setMany([[userKey(1), { id: 1 }]]);

  const written = await cache.writeThrough(userKey(1), async () => ({ id: 1, name: 'Kim' }));
  same<typeof written, User>(true);
  // @ts-expect-error: the writer gives no user
  await cache.writeThrough(userKey(1), async () => 'Kim');

  await cache.evict(userKey(1));
  await cache.evict([userKey(1), nameKey(1)]);
  await cache.withWrite([userKey(1), nameKey(1)], async () => undefined);
}

export async function plainKeys(cache: CacheService, key: Key): Promise<void> {
  const nothingSaid = await cache.get('user:1');
  same<typeof nothingSaid, unknown>(true);
  const variable = await cache.get(key);
  same<typeof variable, unknown>(true);
  const said = await cache.get<User>(['user', 1, null, true, 2n]);
  same<typeof said, User | undefined>(true);
  const many = await cache.getMany<User>(['a', ['b', 1]]);
  same<typeof many, Map<Key, User>>(true);
  const loaded = await cache.getOrSet(key, async () => ({ id: 1 }));
  same<typeof loaded, { id: number }>(true);
  await cache.set(key, 1);
  await cache.set<User>('user:1', { id: 1, name: 'Kim' });
  // @ts-expect-error: no name
  await cache.set<User>('user:1', { id: 1 });
  await cache.setMany(Object.entries({ a: 1, b: 2 }));
  // @ts-expect-error: no key
  await cache.get(['user', {}]);
}

/** A function of one's own can take both. */
export function read<T>(cache: CacheService, key: KeyOf<T>): Promise<T | undefined> {
  return cache.get(key);
}

export async function assignability(cache: CacheService): Promise<void> {
  const user = await read(cache, userKey(1));
  same<typeof user, User | undefined>(true);
  const plain: Key = userKey(1);
  // @ts-expect-error: a plain key does not say what is stored there
  const typed: TypedKey<User> = plain;
  // @ts-expect-error: what is read as something wider could be written as something else
  const wider: TypedKey<User | null> = userKey(1);
  void [typed, wider];
}

export class Users {
  @Cacheable({ key: userKey, ttl: '10m' })
  async find(id: number): Promise<User> {
    return { id, name: 'Kim' };
  }

  @Cacheable({ key: (id: number) => ['plain', id] })
  async plain(id: number): Promise<number> {
    return id;
  }

  // @ts-expect-error: at that key is a user
  @Cacheable({ key: userKey })
  async name(id: number): Promise<string> {
    return `${id}`;
  }

  @CachePut({ key: (id: number, user: User) => userKey(user.id + id) })
  async save(id: number): Promise<User> {
    return { id, name: 'Kim' };
  }

  // @ts-expect-error: at that key is a user
  @CachePut({ key: (id: number, name: string) => userKey(id + name.length) })
  async rename(id: number): Promise<string> {
    return `${id}`;
  }
}
