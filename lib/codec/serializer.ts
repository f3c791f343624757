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
