import { hash } from 'node:crypto';
import { CacheKeyError } from '../common/errors.js';

/**
 * Keys as Redis sees them. The encoding is bijective, so two keys never meet: `%`, control characters, blanks, lone
 * surrogates and braces are written as `%XX` or `%uXXXX`, everything else stands for itself. An array is the sequence of
 * its parts, each behind `%` and the letter of its type; no escape looks like that, so neither a string nor the text
 * within a part can pass for one.
 *
 * Braces stay literal where they are a hash tag by the rule of Redis Cluster: the first `{`, the first `}` behind it, and
 * something in between. In an array that is the first part which holds one. All other braces are escaped, which also keeps
 * clients that misread `{}…}` from computing another slot than the server.
 */

export type KeyPart = string | number | bigint | boolean | null;
export type Key = string | readonly KeyPart[];

export interface EncodedKey {
  /** `k` and the key, or `h` and a digest of it. */
  readonly text: string;
  /** The whole key where `text` holds only its digest: stored with the entry, and compared when it is read. */
  readonly digestOf?: string;
}

/** Longer ones, in bytes, are replaced by their digest. */
export const MAX_SPELLED_BYTES = 200;

/** A longer hash tag, in bytes, is replaced by its own digest, whatever stands around it: equal tags still share a slot. */
const MAX_TAG_BYTES = 100;

/** The longest text of a digest: `h`, a tag in braces, 43 characters of base64url. */
export const MAX_DIGEST_BYTES = 1 + MAX_TAG_BYTES + 2 + 43;

const ACCEPTED =
  'accepted are a non-empty string, or a non-empty array of strings, finite numbers, bigints, booleans and nulls';

/** Printable ASCII without `%` and braces: nothing to escape. */
const CLEAN = /^[!-$&-z|~]+$/;
const ESCAPED = /[\0- %{}\x7f]|\p{Surrogate}/gu;
const ESCAPE = /%u([0-9A-F]{4})|%([0-9A-F]{2})/g;

/** The encoded key; at most `maxBytes` long, or a digest. Throws `CacheKeyError` for what is no key. */
export function encodeKey(key: Key, maxBytes: number = MAX_SPELLED_BYTES): EncodedKey {
  if (typeof key === 'string' && key.length <= maxBytes && CLEAN.test(key))
    return { text: `k${key}` };
  assertKey(key);
  const tag = tagOf(key);
  if (lengthOf(key) <= maxBytes && !(tag && isLong(tag))) {
    const spelled = spell(key, tag);
    if (Buffer.byteLength(spelled) <= maxBytes) return { text: `k${spelled}` };
  }
  return digest(key, tag);
}

/** The key that `text` was made from; undefined if {@link encodeKey} makes no such text. `digestOf` is needed for digests. */
export function decodeKey(text: string, digestOf?: string): Key | undefined {
  try {
    const key = text[0] === 'h' ? parseWhole(digestOf!) : unspell(text.slice(1));
    assertKey(key);
    const again = text[0] === 'h' ? digest(key, tagOf(key)).text : `k${spell(key, tagOf(key))}`;
    return again === text ? key : undefined;
  } catch {
    return undefined; // not one of ours: Number, BigInt or JSON.parse refused it
  }
}

function assertKey(key: unknown): asserts key is Key {
  if (typeof key === 'string' && key !== '') return;
  if (!Array.isArray(key) || key.length === 0)
    throw new CacheKeyError(`The key is ${describe(key)}; ${ACCEPTED}`);
  for (let i = 0; i < key.length; i++)
    if (!isPart(key[i]))
      throw new CacheKeyError(`Part ${i} of the key is ${describe(key[i])}; ${ACCEPTED}`);
}

function isPart(part: unknown): part is KeyPart {
  const type = typeof part;
  if (type === 'number') return Number.isFinite(part);
  return part === null || type === 'string' || type === 'bigint' || type === 'boolean';
}

/** What was given, in words; its content may be long, or secret. */
export function describe(given: unknown): string {
  if (given === '') return 'an empty string';
  if (Array.isArray(given)) return given.length === 0 ? 'an empty array' : 'an array';
  if (typeof given === 'number' || given === null || given === undefined) return String(given);
  return typeof given === 'object' ? 'an object' : `a ${typeof given}`;
}

/** A lower bound of the bytes that the key takes when spelled; cheap, so that a huge key is never spelled. */
function lengthOf(key: Key): number {
  if (typeof key === 'string') return key.length;
  let length = 0;
  for (const part of key) length += typeof part === 'string' ? part.length + 2 : 3;
  return length;
}

function tagOf(key: Key): string | undefined {
  for (const text of typeof key === 'string' ? [key] : key) {
    if (typeof text !== 'string') continue;
    const open = text.indexOf('{');
    const close = open < 0 ? -1 : text.indexOf('}', open + 1);
    if (close > open + 1) return text.slice(open + 1, close);
  }
  return undefined;
}

const isLong = (tag: string): boolean =>
  tag.length > MAX_TAG_BYTES || Buffer.byteLength(escape(tag)) > MAX_TAG_BYTES;

function spell(key: Key, tag: string | undefined): string {
  if (typeof key === 'string') return spellText(key, tag);
  let spelled = '';
  let open = tag; // until the part that holds it
  for (const part of key) {
    if (typeof part === 'string') {
      const own = open !== undefined && tagOf(part) !== undefined ? open : undefined;
      if (own !== undefined) open = undefined;
      spelled += `%s${spellText(part, own)}`;
    } else if (typeof part === 'number') spelled += `%n${part}`;
    else if (typeof part === 'bigint') spelled += `%i${part}`;
    else spelled += `%v${part}`;
  }
  return spelled;
}

function spellText(text: string, tag: string | undefined): string {
  if (tag === undefined) return escape(text);
  const open = text.indexOf('{');
  return `${escape(text.slice(0, open))}{${escape(tag)}}${escape(text.slice(open + tag.length + 2))}`;
}

const escape = (text: string): string =>
  CLEAN.test(text) ? text : text.replace(ESCAPED, toEscape);

function toEscape(character: string): string {
  const code = character.charCodeAt(0);
  const hex = code.toString(16).toUpperCase();
  return code < 0x80 ? `%${hex.padStart(2, '0')}` : `%u${hex}`;
}

const unescape = (text: string): string =>
  text.replace(ESCAPE, (_, wide: string | undefined, narrow: string | undefined) =>
    String.fromCharCode(parseInt(wide ?? narrow!, 16)),
  );

/** The inverse of {@link spell}, for text that it made. */
function unspell(spelled: string): unknown {
  if (!/^%[sniv]/.test(spelled)) return unescape(spelled);
  return spelled
    .slice(1)
    .split(/%(?=[sniv])/)
    .map((part) => {
      const text = part.slice(1);
      if (part[0] === 's') return unescape(text);
      if (part[0] === 'i') return BigInt(text);
      return part[0] === 'n' ? Number(text) : JSON.parse(text);
    });
}

function digest(key: Key, tag: string | undefined): EncodedKey {
  const digestOf = spellWhole(key);
  let routed = '';
  if (tag !== undefined) routed = `{${isLong(tag) ? sha256(tag) : escape(tag)}}`;
  return { text: `h${routed}${sha256(digestOf)}`, digestOf };
}

/** A long key as JSON, which the engine writes many times faster than we escape; a bigint is an array, as no part is one. */
function spellWhole(key: Key): string {
  if (typeof key === 'string') return JSON.stringify(key);
  return JSON.stringify(key.map((part) => (typeof part === 'bigint' ? [String(part)] : part)));
}

function parseWhole(whole: string): unknown {
  const key: unknown = JSON.parse(whole);
  if (!Array.isArray(key)) return key;
  return key.map((part) => (Array.isArray(part) ? BigInt(part[0]) : part));
}

const sha256 = (text: string): string => hash('sha256', text, 'base64url');
