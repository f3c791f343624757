import { validateSync, type ValidationError } from 'class-validator';

import { keyOfSecret, type EncryptionSettings } from '../codec/encryption.js';
import { parseDuration, type Duration } from '../common/duration.js';
import { CacheOptionsError, type OptionProblem } from '../common/errors.js';
import { checkEncryption } from './check-encryption.js';
import { checkTopology } from './check-topology.js';
import { describeValue } from './describe-value.js';
import { fillOptions } from './fill-options.js';
import type {
  InvalidationOptions,
  L1Options,
  LeaseOptions,
  TimeoutOptions,
} from './nested.options.js';
import type { CompressionOptions, EncryptionOptions } from './payload.options.js';
import type { RedisCacheOptions } from './redis-cache.options.js';
import type { ResolvedCacheOptions } from './resolved-options.js';

/**
 * Checks the options of one cache and fills in the defaults.
 *
 * @param where what the options belong to, for the error: "the cache 'reports'"
 * @throws CacheOptionsError that lists every wrong field, with secrets left out
 */
export function resolveOptions(given: unknown, where: string): ResolvedCacheOptions {
  const problems: OptionProblem[] = [];
  const options = fillOptions(given, problems);
  // Unknown fields are noted above. The whitelist is for us: an option without a validator cannot be set at all.
  const errors = validateSync(options, {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    skipUndefinedProperties: true,
  });
  collect(errors, '', problems);
  checkTopology(options.topology!, problems);
  if (options.encryption) checkEncryption(options.encryption, problems);
  if (problems.length > 0) throw new CacheOptionsError(where, problems);
  return resolved(options as FilledOptions);
}

function collect(errors: ValidationError[], path: string, problems: OptionProblem[]): void {
  for (const { property, value, constraints, children } of errors) {
    const at = within(path, property);
    if (constraints)
      problems.push({
        path: at,
        given: describeValue(value, property),
        accepted: Object.values(constraints).join(', '),
      });
    collect(children ?? [], at, problems);
  }
}

function within(path: string, property: string): string {
  if (path === '') return property;
  return /^\d+$/.test(property) ? `${path}[${property}]` : `${path}.${property}`;
}

/** Options whose fields with a default are there. */
type FilledOptions = Required<
  Omit<
    RedisCacheOptions,
    'lease' | 'timeouts' | 'invalidation' | 'compression' | OptionsWithoutDefault
  >
> &
  Pick<RedisCacheOptions, OptionsWithoutDefault> & {
    lease: Required<Omit<LeaseOptions, 'waitTimeout'>> & Pick<LeaseOptions, 'waitTimeout'>;
    timeouts: Required<TimeoutOptions>;
    invalidation: Required<InvalidationOptions>;
    compression: false | Required<CompressionOptions>;
  };
type OptionsWithoutDefault =
  | 'negativeTtl'
  | 'grace'
  | 'softTimeout'
  | 'errorBackoff'
  | 'evictFailure'
  | 'transaction'
  | 'onError';

function resolved(options: FilledOptions): ResolvedCacheOptions {
  const { topology, lease, timeouts, evictFailure, l1, invalidation } = options;
  return Object.freeze({
    topology: Object.freeze(topology),
    namespace: options.namespace,
    ttlMs: ms(options.ttl),
    ttlJitter: options.ttlJitter,
    ...(options.negativeTtl !== undefined && { negativeTtlMs: ms(options.negativeTtl) }),
    cacheNull: options.cacheNull,
    graceMs: options.grace === undefined ? 0 : ms(options.grace),
    staleWhileRevalidate: options.staleWhileRevalidate,
    ...(options.refreshAhead && { refreshAhead: Object.freeze(options.refreshAhead) }),
    lease: Object.freeze({
      ttlMs: ms(lease.ttl),
      waitTimeoutMs: ms(lease.waitTimeout ?? options.loaderTimeout),
      onWaitTimeout: lease.onWaitTimeout,
    }),
    loaderTimeoutMs: ms(options.loaderTimeout),
    softTimeoutMs: options.softTimeout === undefined ? Infinity : ms(options.softTimeout),
    loaderConcurrency: options.loaderConcurrency,
    errorBackoffMs: options.errorBackoff === undefined ? 0 : ms(options.errorBackoff),
    shutdownTimeoutMs: ms(options.shutdownTimeout),
    l1: l1 === false ? false : Object.freeze(copies(l1)),
    invalidation: Object.freeze({ mode: invalidation.mode }),
    isolation: (l1 && l1.isolation) || 'freeze',
    timeouts: Object.freeze({
      connectMs: ms(timeouts.connect),
      readMs: ms(timeouts.read),
      writeMs: ms(timeouts.write),
    }),
    failure: options.failure,
    evictFailure: Object.freeze({
      calls: evictFailure ?? 'throw',
      decorators: evictFailure ?? (options.failure === 'strict' ? 'throw' : 'queue'),
    }),
    ...(options.transaction && { transaction: options.transaction }),
    ...(options.onError && { onError: options.onError }),
    serializer: options.serializer,
    compression: options.compression && Object.freeze({ ...options.compression }),
    ...(options.encryption && { encryption: encryption(options.encryption) }),
    maxValueBytes: options.maxValueBytes,
  });
}

function copies({
  maxEntries,
  maxBytes,
  ttl,
}: L1Options): Exclude<ResolvedCacheOptions['l1'], false> {
  const ttlMs = ttl === undefined ? Infinity : ms(ttl);
  return { maxEntries: maxEntries!, ttlMs, ...(maxBytes !== undefined && { maxBytes }) };
}

function encryption({ keys, unencrypted }: EncryptionOptions): EncryptionSettings {
  const made = keys!.map(({ id, secret }) => ({ id, key: keyOfSecret(secret)! }));
  return Object.freeze({ keys: Object.freeze(made), unencrypted: unencrypted! });
}

/** Which options may be Infinity has been checked by then. */
function ms(duration: Duration): number {
  return parseDuration(duration, { infinity: true });
}
