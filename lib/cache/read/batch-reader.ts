import { deferred, inSlices } from '../../common/async.js';
import { CacheBatchError } from '../../common/errors.js';
import type { EntryKey, KeySpace } from '../../keys/key-space.js';
import type { CallModes } from '../call-mode.js';
import type { Opened } from '../entry.js';
import type { LoadSettings, ReadSettings } from '../entry.options.js';
import { goOnWithout } from '../failure.js';
import type { Front } from '../front.js';
import type { CacheParts } from '../parts.js';
import { BatchCall, type BatchLoader } from './batch-call.js';
import type { Finder } from './finder.js';
import { UNREACHABLE, type Found } from './found.js';
import type { Served } from './passenger.js';
import type { Reader } from './reader.js';
import { tally } from './tally.js';

interface BatchState {
  readonly front: Front;
  readonly finder: Finder;
  readonly reader: Reader;
  readonly modes: CallModes;
}

/** A look at many keys. */
interface Look {
  readonly tags?: readonly string[];
  readonly operation: 'getMany' | 'getOrSetMany';
  readonly reads?: ReadSettings | undefined;
}

/** Reads many keys, and loads what is missing, in as few round trips as one key takes. */
export class BatchReader {
  constructor(
    private readonly parts: CacheParts,
    private readonly state: BatchState,
  ) {}

  /** Undefined: a miss. */
  async getMany(keys: readonly EntryKey[], reads?: ReadSettings): Promise<(Opened | undefined)[]> {
    const { modes, front } = this.state;
    if (modes.readsNothing) {
      this.parts.meter.count('bypassed', keys.length);
      return keys.map(() => undefined);
    }
    if (this.parts.memos.current)
      return Promise.all(
        keys.map((key) => front.get(key, { operation: 'getMany', reads, as: (value) => value })),
      );
    const { meter } = this.parts;
    const look = { operation: 'getMany', began: meter.began(), reads } as const;
    const found = await this.findMany(keys, look);
    return found.map((each, i) => tally(meter, keys[i]!, each, look));
  }

  /** By Redis key; `keys` has each once. The first error of any of them, while the others go on. */
  async getOrLoadMany(
    space: KeySpace,
    keys: readonly EntryKey[],
    { loader, settings }: { loader: BatchLoader; settings: LoadSettings },
  ): Promise<Map<string, Served>> {
    const served = new Map<string, Served>();
    const seen = await this.firstLook(keys, settings);
    const missing: { key: EntryKey; seen?: Found }[] = [];
    for (const [i, key] of keys.entries()) {
      const found = seen?.[i];
      // A value that may be refreshed ahead is looked at by the reader.
      if (found?.state === 'hit' && !settings.refreshAhead) {
        tally(this.parts.meter, key, found, { operation: 'getOrSetMany' });
        served.set(key.redisKey, found);
      } else missing.push({ key, seen: found });
    }
    if (missing.length === 0) return served;
    const { reader, front } = this.state;
    const call = new BatchCall(
      missing.map(({ key }) => key.redisKey),
      loader,
      { space, clock: this.parts.clock },
    );
    const failed = deferred<never>();
    const serve = async ({ key, seen }: (typeof missing)[number]): Promise<void> => {
      try {
        const request = { key, kind: 'value', loader: call, settings } as const;
        const found = seen ? reader.getOrLoad(request, seen) : front.load(request);
        served.set(key.redisKey, await found);
      } catch (error) {
        failed.reject(error);
      } finally {
        call.decided(key);
      }
    };
    const all = inSlices(missing, serve).then(() => call.over());
    await Promise.race([failed.promise, all]);
    return served;
  }

  /** Undefined where a look does not spare one: hits do not count, or there is no look at all. */
  private async firstLook(
    keys: readonly EntryKey[],
    settings: LoadSettings,
  ): Promise<Found[] | undefined> {
    settings.signal?.throwIfAborted();
    if (settings.force || this.state.modes.readsNothing || this.parts.memos.current)
      return undefined;
    return this.findMany(keys, {
      tags: settings.tags,
      operation: 'getOrSetMany',
      reads: settings,
    });
  }

  /** What there is for each key; keys whose server does not answer are `unreachable`, or (`failure: 'strict'`) it rejects. */
  private async findMany(
    keys: readonly EntryKey[],
    { tags, operation, reads }: Look,
  ): Promise<Found[]> {
    const wanted = keys.map((key) => ({ key, kind: 'value', tags, operation, reads }) as const);
    const answers = await this.state.finder.seekMany(wanted);
    const failures = new Map<number, unknown>();
    const found = answers.map((answer, i): Found => {
      if (!('error' in answer)) return answer;
      failures.set(i, answer.error);
      return UNREACHABLE;
    });
    if (failures.size === 0) return found;
    const given = keys.map((key) => key.given);
    const error = new CacheBatchError(operation, given, failures);
    const returning = `${keys.length - failures.size} keys`;
    goOnWithout(this.parts, { operation, returning }, error);
    return found;
  }
}
