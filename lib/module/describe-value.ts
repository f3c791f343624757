import { isPromiseLike } from '../common/async.js';
import { isClient } from '../redis/given-client.js';

const LONGEST = 60;
const SECRET_NAME = /pass|secret|token|auth|cred|^encrypt|keys?$/i;

/**
 * What was given, short enough for an error and without a secret: objects are named but not opened, and a string
 * that may be a connection string shows nothing of its user and password.
 */
export function describeValue(value: unknown, name = ''): string {
  if (value === undefined || value === null) return String(value);
  if (SECRET_NAME.test(name)) return `a ${typeof value} (hidden)`;
  switch (typeof value) {
    case 'string':
      return `'${shorten(hideCredentials(value))}'`;
    case 'number':
    case 'boolean':
      return String(value);
    case 'bigint':
      return shorten(`${value}n`);
    case 'object':
      return describeObject(value);
    default:
      return `a ${typeof value}`;
  }
}

function describeObject(value: object): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (isPromiseLike(value)) return 'a promise; forgot an await?';
  if (isClient(value)) return describeClient(value);
  const maker: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof maker === 'string' && maker !== '' && maker !== 'Object'
    ? `an instance of ${shorten(maker)}`
    : 'an object';
}

/** Both classes of ioredis say that their constructor is EventEmitter. */
function describeClient(client: { isCluster?: boolean; options?: { keyPrefix?: string } }): string {
  const prefix = client.options?.keyPrefix ? ' with keyPrefix' : '';
  return `a ${client.isCluster ? 'Cluster' : 'Redis'}${prefix}`;
}

/**
 * A well-formed URL keeps scheme, host and path. Any other one, whose host may have been forgotten behind the password, and
 * anything else with an '@' or a '?' in it (a password that was not percent-encoded may hold either) keeps nothing but its scheme.
 */
function hideCredentials(text: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0];
  const isUrl = scheme !== undefined && URL.canParse(text);
  if (!/[@?]/.test(text) && (isUrl || !scheme)) return text;
  if (isUrl) {
    const url = new URL(text);
    if (!/@/.test(url.pathname + url.search + url.hash))
      return `${scheme}${url.username || url.password ? '***@' : ''}${url.host}${url.pathname}${url.search && '?***'}`;
  }
  return `${scheme ?? ''}***`;
}

function shorten(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
