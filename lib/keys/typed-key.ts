import type { Key } from './encode-key.js';

declare const VALUE: unique symbol;

/** Neither a wider nor a narrower type of value will do: what one caller stores another one reads. */
type OfValue<T> = (value: T) => T;

/** A key that says what is stored at it. For the compiler only: the key itself is a plain one. */
export type TypedKey<T> = Key & { readonly [VALUE]: OfValue<T> };

/** A key at which a `T` may be stored: a typed one of this very type, or a plain one, which says nothing. */
export type KeyOf<T> = Key & { readonly [VALUE]?: OfValue<T> };

/**
 * The same key, with the type of its value. Declared once, it does for all who read or write:
 *
 * ```ts
 * const userKey = (id: number) => typedKey<User>(['user', id]);
 * const user = await cache.get(userKey(7)); // User | undefined
 * ```
 */
export function typedKey<T>(key: Key): TypedKey<T> {
  return key as TypedKey<T>;
}
