/** A response as it is stored: what a hit replays. */
export interface StoredResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** When it was made, in ms since the epoch; `Age` counts from here. */
  readonly storedAtMs: number;
  /** JSON of what the handler returned; undefined: it has no body. */
  readonly body: Buffer | undefined;
}

/** One that comes from the cache. */
export interface DecodedResponse extends StoredResponse {
  /** When it was made, as `Date` says it. */
  readonly date: string;
}

/**
 * The bytes: version (1), length of the head (4, big-endian), head as JSON, body as it is. The head is apart from the body,
 * so that a 304 and a `HEAD` need not parse it.
 */
const VERSION = 1;
const HEAD_AT = 5;

export function encodeResponse({ status, headers, storedAtMs, body }: StoredResponse): Buffer {
  const head = Buffer.from(JSON.stringify({ status, headers, storedAtMs, hasBody: !!body }));
  const start = Buffer.allocUnsafe(HEAD_AT);
  start.writeUInt8(VERSION, 0);
  start.writeUInt32BE(head.length, 1);
  return Buffer.concat(body ? [start, head, body] : [start, head]);
}

/** What was decoded, for as long as its bytes are there: a copy in the process is decoded once. */
const decoded = new WeakMap<Buffer, DecodedResponse>();

/** Undefined for anything that {@link encodeResponse} of this version did not write. */
export function decodeResponse(bytes: Buffer): DecodedResponse | undefined {
  let response = decoded.get(bytes);
  if (!response && (response = decode(bytes))) decoded.set(bytes, response);
  return response;
}

function decode(bytes: Buffer): DecodedResponse | undefined {
  if (bytes.length < HEAD_AT || bytes[0] !== VERSION) return undefined;
  const bodyAt = HEAD_AT + bytes.readUInt32BE(1);
  if (bodyAt > bytes.length) return undefined;
  const head = parseJson(bytes.subarray(HEAD_AT, bodyAt));
  if (!isHead(head)) return undefined;
  const { status, headers, storedAtMs, hasBody } = head;
  const date = new Date(storedAtMs).toUTCString();
  return { status, headers, storedAtMs, date, body: hasBody ? bytes.subarray(bodyAt) : undefined };
}

type Head = Omit<StoredResponse, 'body'> & { hasBody: boolean };

function isHead(head: unknown): head is Head {
  if (typeof head !== 'object' || head === null) return false;
  const { status, headers, storedAtMs, hasBody } = head as Partial<Head>;
  return (
    Number.isInteger(status) &&
    typeof headers === 'object' &&
    headers !== null &&
    Number.isFinite(storedAtMs) &&
    typeof hasBody === 'boolean'
  );
}

/** The value of the body, or `{ value: undefined }` without one; undefined where the bytes are no JSON. */
export function valueOf(response: StoredResponse): { value: unknown } | undefined {
  if (!response.body) return { value: undefined };
  const value = parseJson(response.body);
  return value === undefined ? undefined : { value };
}

/** Whether the body is an object or an array: what platforms make of anything else differs. */
export function holdsObject({ body }: StoredResponse): boolean {
  return body?.[0] === 0x7b || body?.[0] === 0x5b;
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
