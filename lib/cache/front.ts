import type { EntryKey } from '../keys/key-space.js';
import type { CallModes } from './call-mode.js';
import type { EntryKind, Opened } from './entry.js';
import type { CacheParts } from './parts.js';
import { hasOwnReading } from './entry.options.js';
import type { Finder } from './read/finder.js';
import type { OpenedEntry } from './read/opened-entry.js';
import type { LoadRequest } from './read/loader-run.js';
import type { Reading } from './read/found.js';
import type { Served } from './read/passenger.js';
import type { Reader } from './read/reader.js';
import { tally } from './read/tally.js';
import type { Memo } from './request-memo.js';

interface FrontState {
  readonly reader: Reader;
  readonly finder: Finder;
  readonly modes: CallModes;
}

/** What a read meets before Redis: the memo of its call, and the copies of this process where they can answer at once. */
export class Front {
  constructor(
    private readonly parts: CacheParts,
    private readonly state: FrontState,
  ) {}

  /** What this process has a copy of. */
  peek(key: EntryKey, operation: string, kind: EntryKind = 'value'): OpenedEntry | undefined {
    if (this.state.modes.readsNothing) return undefined;
    const value = this.state.finder.peek(key, kind)?.value;
    if (!value) return undefined;
    this.state.finder.used(key, value);
    this.parts.meter.hit('l1', key, operation);
    return value;
  }

  /** A copy that answers a read. Within a memo there is none: what that read has been told before comes first. */
  copy(key: EntryKey, operation: string): OpenedEntry | undefined {
    return this.parts.memos.current ? undefined : this.peek(key, operation);
  }

  /** What `read.as` makes of the value, or of undefined: a miss. Who has a reading of his own neither takes from a memo nor leaves anything in it. */
  get<T>(key: EntryKey, read: Reading<T>): Promise<T> {
    const { operation, reads, as } = read;
    const memo =
      this.state.modes.readsNothing || hasOwnReading(reads) ? undefined : this.parts.memos.current;
    if (!memo) return this.look(key, read);
    const known = memo.answer(key.redisKey);
    if (known) return this.known(known, key, operation).then(as);
    const slot = memo.slot(key.redisKey);
    const answer = this.look(key, { operation, as: (value) => value });
    memo.remember(key.redisKey, slot, answer);
    return answer.then(as);
  }

  private look<T>(key: EntryKey, { operation, reads, as }: Reading<T>): Promise<T> {
    const { finder, modes } = this.state;
    const { meter } = this.parts;
    const look = { operation, began: meter.began() };
    if (modes.readsNothing) return Promise.resolve(as(tally(meter, key, undefined, look)));
    const wanted = { key, kind: 'value', tags: undefined, operation, reads } as const;
    return finder.findAs(wanted, (found) => as(tally(meter, key, found, look)));
  }

  load(request: LoadRequest): Promise<Served> {
    const { key, kind, settings } = request;
    const memo = kind === 'value' ? this.parts.memos.current : undefined;
    if (memo && !hasOwnReading(settings)) return this.loadOnce(memo, request);
    const served = this.state.reader.getOrLoad(request);
    // It may have been stored in the place of what the memo knows.
    return memo ? served.then((each) => (memo.forget(key.redisKey), each)) : served;
  }

  private async known(
    answer: Promise<Opened | undefined>,
    key: EntryKey,
    operation: string,
  ): Promise<Opened | undefined> {
    const value = await answer;
    if (value) this.parts.meter.hit('memo', key, operation);
    else this.parts.meter.miss(key, operation);
    return value;
  }

  /** Only what has been stored is remembered: the rest may differ from one load to the next, or is not committed yet. */
  private async loadOnce(memo: Memo, request: LoadRequest): Promise<Served> {
    const { reader, modes } = this.state;
    const { key, settings } = request;
    const slot = memo.slot(key.redisKey);
    const known =
      settings.force || modes.readsNothing
        ? undefined
        : await memo.answer(key.redisKey)?.catch(() => undefined);
    if (known) {
      this.parts.meter.hit('memo', key, 'getOrSet');
      return { source: 'copy', value: known };
    }
    const served = await reader.getOrLoad(request);
    if (served.value.freshMs() > 0)
      memo.remember(key.redisKey, slot, Promise.resolve(served.value));
    return served;
  }
}
