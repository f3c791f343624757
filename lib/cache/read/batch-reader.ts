import { types } from 'node:util';
import { deferred, inSlices } from '../../common/async.js';
import { CacheBatchError } from '../../common/errors.js';
import type { EntryKey, KeySpace } from '../../keys/key-space.js';
import type { CallModes } from '../call-mode.js';
import type { Opened } from '../entry.js';
import type { LoadSettings, ReadSettings } from '../entry.options.js';
import type { EvictJournal } from '../evict-journal.js';
import { goOnWithout } from '../failure.js';
import type { Front } from '../front.js';
import type { TagVersions } from '../../tags/tag-table.js';
import { pathOf } from '../../tags/table-key.js';
import type { CacheParts } from '../parts.js';
import { BatchCall, type BatchLoader } from './batch-call.js';
import type { Finder, Found } from './finder.js';
import type { Fetched } from './looks.js';
import type { Reader, Served } from './reader.js';
import { tally } from './tally.js';

interface BatchState {
  readonly front: Front;
  readonly journal: EvictJournal;
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

const UNREACHABLE: Found = { state: 'unreachable' };

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
      return Promise.all(keys.map((key) => front.get(key, 'getMany', reads)));
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
  private async findMany(keys: readonly EntryKey[], look: Look): Promise<Found[]> {
    const { journal, finder } = this.state;
    const found: Found[] = [];
    const asked: number[] = [];
    for (const [i, key] of keys.entries()) {
      if (journal.blocks(key.redisKey)) {
        found[i] = UNREACHABLE;
        continue;
      }
      const copy = finder.copy({ key, kind: 'value', ...look });
      const hit = types.isPromise(copy) ? await copy : copy;
      if (hit) found[i] = hit;
      else asked.push(i);
    }
    if (asked.length === 0) return found;
    const fetched = await this.fetch(
      asked.map((i) => keys[i]!),
      look,
    );
    const failures = new Map<number, unknown>();
    for (const [n, i] of asked.entries()) {
      const key = keys[i]!;
      const answer = fetched[n]!;
      try {
        if ('error' in answer) throw answer.error;
        const judged = finder.judge({ key, kind: 'value', ...look }, answer);
        found[i] = types.isPromise(judged) ? await judged : judged;
      } catch (error) {
        failures.set(i, error);
        found[i] = UNREACHABLE;
      }
      // The evict of this key may have failed while the read was under way.
      if (journal.blocks(key.redisKey)) found[i] = UNREACHABLE;
    }
    if (failures.size === 0) return found;
    const given = keys.map((key) => key.given);
    const error = new CacheBatchError(look.operation, given, failures);
    const returning = `${keys.length - failures.size} keys`;
    goOnWithout(this.parts, { operation: look.operation, returning }, error);
    return found;
  }

  /** All in one tick, so that they travel together. */
  private async fetch(
    keys: readonly EntryKey[],
    { tags = [] }: Look,
  ): Promise<(Fetched | { error: unknown })[]> {
    const { store, tags: table, tier, mirror } = this.parts;
    const notes = keys.map((key) => tier?.note(key.redisKey));
    const reading = Promise.allSettled(keys.map((key) => store.read(key.redisKey)));
    const tables = keys.map((key) => table.tableOf(key.redisKey));
    const glances = new Map<unknown, Promise<TagVersions | undefined>>();
    for (const [i, of] of tables.entries())
      if (!glances.has(of)) glances.set(of, table.glance(keys[i]!.redisKey, tags));
    const [reads, seen] = await Promise.all([reading, Promise.allSettled(glances.values())]);
    for (const look of seen)
      if (look.status === 'fulfilled') mirror.of(pathOf(keys[0]!.redisKey)).note(look.value);
    const versionsOf = new Map([...glances.keys()].map((of, i) => [of, seen[i]!]));
    return reads.map((read, i) => {
      const versions = versionsOf.get(tables[i])!;
      if (read.status === 'rejected') return { error: read.reason };
      if (versions.status === 'rejected') return { error: versions.reason };
      return { bytes: read.value, versions: versions.value, note: notes[i] };
    });
  }
}
