import { ValidateBy } from 'class-validator';
import type { Cluster } from 'ioredis';

import { aRefreshAhead } from '../cache/staleness.js';
import { isSerializerChoice, SERIALIZER_ACCEPTED } from '../codec/serializer.js';
import { DURATION_ACCEPTED, durationProblem, type DurationRule } from '../common/duration.js';
import { isClient } from '../redis/given-client.js';
import { isObject } from './given-fields.js';

/**
 * The validators of the option classes. The message of each is not a complaint but what is accepted, because an
 * error names the path, what was given, and this text. `undefined` never gets here: it means the default.
 */
function accept(
  accepted: string,
  isAccepted: (value: unknown) => boolean,
  name: string,
): PropertyDecorator {
  return ValidateBy({ name, validator: { validate: isAccepted } }, { message: accepted });
}

export function IsDuration(rule: DurationRule = {}): PropertyDecorator {
  const range = rule.minMs && rule.maxMs ? `, from ${rule.minMs} to ${rule.maxMs} ms` : '';
  return accept(
    `${DURATION_ACCEPTED}${range}${rule.infinity ? ', or Infinity' : ''}`,
    (value) => durationProblem(value, rule) === undefined,
    'isDuration',
  );
}

export function IsOneOf(...values: readonly string[]): PropertyDecorator {
  return accept(
    values.map((value) => `'${value}'`).join(' or '),
    (value) => values.includes(value as string),
    'isOneOf',
  );
}

export interface NumberRange {
  min: number;
  max: number;
  whole?: boolean;
  orInfinity?: boolean;
}

export function IsNumberFrom({ min, max, whole, orInfinity }: NumberRange): PropertyDecorator {
  const kind = whole ? 'a whole number' : 'a number';
  return accept(
    `${kind} from ${min} to ${max}${orInfinity ? ', or Infinity' : ''}`,
    (value) =>
      (orInfinity && value === Infinity) ||
      (typeof value === 'number' &&
        (!whole || Number.isInteger(value)) &&
        value >= min &&
        value <= max),
    'isNumberFrom',
  );
}

export function IsFlag(): PropertyDecorator {
  return accept('true or false', (value) => typeof value === 'boolean', 'isFlag');
}

export function IsCallback(): PropertyDecorator {
  return accept('a function', (value) => typeof value === 'function', 'isCallback');
}

export function IsTransactionAdapter(): PropertyDecorator {
  return accept(
    'an adapter with the methods isActive and afterCommit, such as typeOrmTransactions(dataSource)',
    (value) => hasMethod(value, 'isActive') && hasMethod(value, 'afterCommit'),
    'isTransactionAdapter',
  );
}

export function IsName(): PropertyDecorator {
  return accept(
    '1 to 64 characters of A-Z a-z 0-9 . _ -',
    (value) => typeof value === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(value),
    'isName',
  );
}

export function IsShardName(): PropertyDecorator {
  return accept(
    '1 to 255 visible characters of ASCII',
    (value) => typeof value === 'string' && /^[!-~]{1,255}$/.test(value),
    'isShardName',
  );
}

export function IsRefreshAhead(): PropertyDecorator {
  return accept(aRefreshAhead.accepted, aRefreshAhead.ok, 'isRefreshAhead');
}

export function IsSerializer(): PropertyDecorator {
  return accept(SERIALIZER_ACCEPTED, isSerializerChoice, 'isSerializer');
}

export function IsEncryptionKeys(): PropertyDecorator {
  return accept(
    'an array of { id, secret }, of which the first one writes',
    (value) => Array.isArray(value) && value.length > 0,
    'isEncryptionKeys',
  );
}

/** What ioredis would read wrongly without a word is refused here: no host, a db that is no number, a keyPrefix. */
export function IsRedisUrl(): PropertyDecorator {
  return accept(
    'redis://[user:password@]host[:port][/db], rediss:// for TLS, or /path/to.sock or unix:///path/to.sock; special characters percent-encoded, and no keyPrefix (the option for that is namespace)',
    (value) => typeof value === 'string' && isRedisUrl(value),
    'isRedisUrl',
  );
}

export function IsRedisOptions(): PropertyDecorator {
  return accept(
    'an object of ioredis options without keyPrefix (the option for that is namespace)',
    (value) => isObject(value) && !(value as { keyPrefix?: unknown }).keyPrefix,
    'isRedisOptions',
  );
}

export function IsRedisClient(): PropertyDecorator {
  return accept(
    'an ioredis Redis client without keyPrefix, or a function that makes one',
    (value) => typeof value === 'function' || isRedisClient(value),
    'isRedisClient',
  );
}

export function IsClusterNodes(): PropertyDecorator {
  return accept('an array of nodes', Array.isArray, 'isClusterNodes');
}

export function IsClusterOptions(): PropertyDecorator {
  return accept('an object of options of the ioredis Cluster', isObject, 'isClusterOptions');
}

export function IsCluster(): PropertyDecorator {
  return accept(
    'an ioredis Cluster, or a function that makes one',
    (value) => typeof value === 'function' || isCluster(value),
    'isCluster',
  );
}

/** By its shape, as below. */
export function isCluster(value: unknown): value is Cluster {
  return isClient(value) && (value as { isCluster?: boolean }).isCluster === true;
}

function hasMethod(value: unknown, name: string): boolean {
  return isObject(value) && typeof value[name] === 'function';
}

function isRedisUrl(text: string): boolean {
  if (/[?&]keyPrefix=/i.test(text)) return false;
  if (/^(unix:\/\/)?\/[^/]/i.test(text)) return true;
  if (!/^rediss?:\/\//i.test(text)) return false;
  try {
    const url = new URL(text);
    decodeURIComponent(url.username);
    decodeURIComponent(url.password);
    return url.hostname !== '' && /^(\/\d*)?$/.test(url.pathname);
  } catch {
    return false;
  }
}

function isRedisClient(value: unknown): boolean {
  if (!isClient(value)) return false;
  const client = value as { isCluster?: boolean; options?: { keyPrefix?: string } };
  return !client.isCluster && !client.options?.keyPrefix;
}
