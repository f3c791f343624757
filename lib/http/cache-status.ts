/**
 * What the cache did with a request, as `Cache-Status` (RFC 9211) says it, and as `X-Cache` says it for those who only
 * want to know that.
 */
export type CacheOutcome =
  | { kind: 'hit'; ttlMs?: number | undefined }
  /** Answered by the handler; `detail`: why that is not stored. */
  | { kind: 'miss'; stored: boolean; detail?: string | undefined }
  /** Answered by what the handler gave to another request that came at the same time. */
  | { kind: 'collapsed' }
  /** The cache was not asked: `why` is the reason by the RFC, `detail` ours. */
  | { kind: 'bypass'; why: 'bypass' | 'method' | 'request'; detail?: string | undefined }
  /** The handler always runs; its answer replaces what was stored, or only removes it. */
  | { kind: 'put'; stored: boolean; detail?: string | undefined };

const CACHE_NAME = 'nestjs-redis-cache';

/** One member of the list; every detail of ours is a token (RFC 9651 §3.3.4), so nothing has to be quoted. */
export function cacheStatus(outcome: CacheOutcome): string {
  if (outcome.kind === 'hit') return hit(outcome.ttlMs);
  return [CACHE_NAME, ...parameters(outcome)].join('; ');
}

/** The one that is to be fast. */
const hit = (ttlMs = Infinity): string =>
  Number.isFinite(ttlMs)
    ? `${CACHE_NAME}; hit; ttl=${Math.floor(ttlMs / 1000)}`
    : `${CACHE_NAME}; hit`;

export function xCache({ kind }: CacheOutcome): 'HIT' | 'MISS' | 'BYPASS' {
  if (kind === 'hit') return 'HIT';
  return kind === 'bypass' || kind === 'put' ? 'BYPASS' : 'MISS';
}

function parameters(outcome: Exclude<CacheOutcome, { kind: 'hit' }>): string[] {
  switch (outcome.kind) {
    case 'collapsed':
      return ['fwd=miss', 'collapsed'];
    case 'miss':
    case 'put':
      return [
        outcome.kind === 'miss' ? 'fwd=miss' : 'fwd=method',
        ...(outcome.stored ? ['stored'] : []),
        ...(outcome.detail ? [`detail=${outcome.detail}`] : []),
      ];
    case 'bypass':
      return [`fwd=${outcome.why}`, ...(outcome.detail ? [`detail=${outcome.detail}`] : [])];
  }
}
