import type { Invalidation, InvalidationReason } from '../common/invalidation.js';

/** Where a message comes from: a process, a connection of it, and the place in the order of that connection's messages. */
export interface Origin {
  readonly instance: string;
  readonly link: number;
  readonly sequence: number;
}

export interface Message {
  readonly origin: Origin;
  /** Undefined: only says up to where the sequence goes. */
  readonly invalidation?: Invalidation;
}

/** Version of the format; what has another one is not understood, and the copies are dropped. */
const FORMAT = 1;
/** A message of ours has at most some hundred keys of at most 300 bytes. */
const MAX_MESSAGE_BYTES = 65_536;
/** Nobody sends `disconnect`: that messages may have been lost is what their receiver finds out. */
const REASONS: readonly InvalidationReason[] = ['evict', 'set', 'clear'];

/** `[format, instance, link, sequence, reason?, keys | path, tags?, version?]` as JSON. */
export function encodeMessage({ origin, invalidation }: Message): string {
  const head = [FORMAT, origin.instance, origin.link, origin.sequence];
  if (!invalidation) return JSON.stringify(head);
  const { reason } = invalidation;
  if ('keys' in invalidation) return JSON.stringify([...head, reason, invalidation.keys]);
  const tags = 'tags' in invalidation ? invalidation.tags : null;
  return JSON.stringify([...head, reason, invalidation.path, tags, invalidation.version]);
}

/** Undefined for everything that {@link encodeMessage} does not make. */
export function decodeMessage(bytes: Buffer): Message | undefined {
  if (bytes.length > MAX_MESSAGE_BYTES) return undefined;
  let fields: unknown;
  try {
    fields = JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(fields) || fields[0] !== FORMAT) return undefined;
  const [, instance, link, sequence, reason, what, tags, version] = fields as unknown[];
  if (typeof instance !== 'string' || !isCount(link) || !isCount(sequence)) return undefined;
  const origin = { instance, link, sequence };
  if (fields.length === 4) return { origin };
  if (!REASONS.includes(reason as InvalidationReason)) return undefined;
  const invalidation = decodeInvalidation(reason as InvalidationReason, { what, tags, version });
  return invalidation && { origin, invalidation };
}

function decodeInvalidation(
  reason: InvalidationReason,
  { what, tags, version }: { what: unknown; tags: unknown; version: unknown },
): Invalidation | undefined {
  if (areTexts(what)) return { reason, keys: what };
  if (typeof what !== 'string' || !isVersion(version)) return undefined;
  if (tags === null) return { reason, path: what, version };
  return areTexts(tags) ? { reason, path: what, tags, version } : undefined;
}

function areTexts(given: unknown): given is readonly string[] {
  return Array.isArray(given) && given.every((item) => typeof item === 'string');
}

/** Not Infinity either, which JSON has as `1e999`: no copy would ever be used again, since none is as new. */
function isVersion(given: unknown): given is number {
  return Number.isFinite(given) && (given as number) > 0;
}

function isCount(given: unknown): given is number {
  return Number.isSafeInteger(given) && (given as number) >= 0;
}
