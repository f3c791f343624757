/** Turns values into bytes and back. `null` and `undefined` never get here; whatever it throws means "cannot be stored". */
export interface Serializer {
  /**
   * Stands in every entry that this serializer writes, 1 to 64 characters; entries of another name are misses. Change it along
   * with the bytes. Needed where one cache has several serializers of your own; default: none.
   */
  readonly name?: string;
  serialize(value: unknown): Buffer;
  deserialize(bytes: Buffer): unknown;
}

/** A serializer of this package, or one of the application's own. */
export type SerializerChoice = 'json' | 'msgpack' | Serializer;

export const SERIALIZER_ACCEPTED =
  "'json' or 'msgpack', or an object with serialize(value): Buffer and deserialize(bytes): unknown, and a name of 1 to 64 characters if any";

export function isSerializerChoice(value: unknown): value is SerializerChoice {
  if (value === 'json' || value === 'msgpack') return true;
  if (typeof value !== 'object' || value === null) return false;
  const { serialize, deserialize, name } = value as Partial<Record<keyof Serializer, unknown>>;
  if (typeof serialize !== 'function' || typeof deserialize !== 'function') return false;
  return name === undefined || (typeof name === 'string' && name !== '' && name.length <= 64);
}
