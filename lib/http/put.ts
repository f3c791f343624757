import type { EntryKey } from '../keys/key-space.js';
import { CacheEvictError } from '../common/errors.js';
import type { CacheOutcome } from './cache-status.js';
import type { HttpCache } from './http-cache.js';
import type { Emitted } from './handler-run.js';
import { Recorder, type Call } from './recorder.js';
import type { Refusal } from './response-policy.js';

/** What `@CachePut` has done for one request. */
export interface Put {
  readonly emitted: Emitted;
  readonly outcome: Extract<CacheOutcome, { kind: 'put' }>;
  readonly refusal: Refusal | undefined;
  /** Where it was stored. */
  readonly storedAt: EntryKey | undefined;
}

/**
 * Runs a handler with `@CachePut`, always, and stores its response; one that may not be stored removes what was there.
 *
 * `keyOf`: undefined where there is no key. It is asked before the handler runs, so that nobody stores anything older while
 * it does; where the result is needed, afterwards.
 */
export async function put(
  call: Call,
  cache: HttpCache,
  { keyOf, stores }: { keyOf(...result: [] | [unknown]): EntryKey | undefined; stores: boolean },
): Promise<Put> {
  const { run, cacheable } = call;
  const recorder = new Recorder(call, cache);
  // Never fires: what the handler writes is finished, whether or not the client still waits for it.
  const { signal } = new AbortController();
  let key: EntryKey | undefined;
  let bytes: unknown;
  try {
    if (cacheable.isKeyOfResult) {
      const emitted = await run.outcome(signal);
      key = emitted.one ? keyOf(emitted.value) : undefined;
    } else key = keyOf();
    if (key) {
      const { ttlMs = cache.options.ttlMs, version, sliding } = cacheable.load;
      const settings = { ttlMs, version, sliding };
      const write: typeof recorder.load = async (context) => {
        const made = await recorder.record({ ...context, signal });
        return stores ? made : undefined;
      };
      bytes = await cache.through.one(key, write, settings, 'http');
    }
  } catch (error) {
    if (!run.started) throw error;
    // The handler's own error, if it has one. Otherwise it has done its work, and its answer stands.
    await run.outcome(signal);
    const { decorators } = cache.options.evictFailure;
    if (decorators === 'throw' && error instanceof CacheEvictError) throw error;
  }
  const stored = bytes !== undefined;
  const { refusal } = recorder;
  return {
    emitted: await run.outcome(signal),
    outcome: { kind: 'put', stored, detail: refusal?.refusal },
    refusal,
    storedAt: stored ? key : undefined,
  };
}
