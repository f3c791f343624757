import { Codec, type CodecOptions } from '../../../lib/codec/codec.js';
import { readRecord } from '../../../lib/codec/envelope.js';
import type { SerializerChoice } from '../../../lib/codec/serializer.js';

export type ValueRecord = Extract<ReturnType<typeof readRecord>, { type: 'value' }>;

export const FACTS = { graceMs: 0, c0: 0, topologyId: 0 };
export const HEAD = Buffer.from(`V${'0'.repeat(20)}`);
export const KEY = 'cache:kkey';

export const codecOf = (options: Partial<CodecOptions> = {}): Codec =>
  new Codec({ serializer: 'json', maxValueBytes: 1024, ...options });

/** The record with that body. */
export function recordOf(body: Buffer): ValueRecord {
  const record = readRecord(Buffer.concat([HEAD, body]));
  if (record.type !== 'value') throw new Error('not a value');
  return record;
}

/** What is stored of a value. */
export async function sealed(
  codec: Codec,
  value: unknown,
  given?: SerializerChoice,
): Promise<ValueRecord> {
  return recordOf(await codec.seal(codec.encode(value, FACTS, given), KEY));
}
