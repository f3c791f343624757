/** Turns values into bytes and back. `null` and `undefined` never get here; whatever it throws means "cannot be stored". */
export interface Serializer {
  serialize(value: unknown): Buffer;
  deserialize(bytes: Buffer): unknown;
}
