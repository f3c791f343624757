import { types } from 'node:util';
import type { EntryKey } from '../../keys/key-space.js';
import { isReadable, type EntryKind, type Opened } from '../entry.js';
import type { ReadSettings } from '../entry.options.js';
import { goOnWithout } from '../failure.js';
import type { CacheParts } from '../parts.js';
import { isCurrent, type Copy } from '../tier.js';
import { bypassed, UNREACHABLE, type Found, type Hit } from './found.js';
import { Judge, type JudgeState } from './judge.js';
import { Looks, type Wanted } from './looks.js';

/** Looks entries up: among the copies of this process, then in Redis, judged by the tag table. */
export class Finder {
  private readonly looks: Looks;
  private readonly judge: Judge;

  constructor(
    private readonly parts: CacheParts,
    private readonly state: JudgeState,
  ) {
    this.looks = new Looks(parts);
    this.judge = new Judge(parts, state);
  }

  /** What has been found here is given to a reader. */
  used(key: EntryKey, value: Opened): void {
    this.judge.used(key, value);
  }

  /** Who looks at Redis now knows what is there. */
  async settled(): Promise<void> {
    await this.looks.settled();
    await this.judge.settled();
  }

  /** The copy in this process, if there is one that may be used. */
  peek(key: EntryKey, kind: EntryKind, reads?: ReadSettings): Copy | undefined {
    const copy = this.parts.tier?.get(key.redisKey, key.shortcut);
    if (copy?.kind !== kind || !isCurrent(copy) || !isReadable(copy.value, reads)) return undefined;
    return this.state.journal.blocks(key.redisKey) ? undefined : copy;
  }

  /** For who may load what is not there: all who find one key in a tick share their look. */
  find(wanted: Wanted): Promise<Found> {
    return this.findAs(wanted, (found) => found);
  }

  /** What `as` makes of it, in as few promises as can be: they are much of what a read costs. */
  findAs<T>(wanted: Wanted, as: (found: Found) => T): Promise<T> {
    const atOnce = this.atOnce(wanted);
    if (atOnce) return types.isPromise(atOnce) ? atOnce.then(as) : Promise.resolve(as(atOnce));
    const without = (error: unknown): T => as(this.without(wanted, error));
    const look = this.looks.at(wanted);
    return look.over.then(() => {
      if (look.failure) return without(look.failure.error);
      const found = this.judge.of(wanted, look);
      return types.isPromise(found) ? found.then(as, without) : as(found);
    });
  }

  private without({ operation }: Wanted, error: unknown): Found {
    goOnWithout(this.parts, { operation, returning: undefined }, error);
    return UNREACHABLE;
  }

  /** The same for who answers for a failure himself: rejects where Redis cannot be reached. */
  async seek(wanted: Wanted): Promise<Found> {
    return (await this.atOnce(wanted)) ?? this.lookUp(wanted);
  }

  /** For each what there is, looked up together, or the error. */
  async seekMany(wanted: readonly Wanted[]): Promise<(Found | { error: unknown })[]> {
    const found: (Found | { error: unknown })[] = [];
    const asked: number[] = [];
    for (const [i, each] of wanted.entries()) {
      const atOnce = this.atOnce(each);
      const here = types.isPromise(atOnce) ? await atOnce.catch(asError) : atOnce;
      if (here) found[i] = here;
      else asked.push(i);
    }
    const looks = this.looks.atMany(asked.map((i) => wanted[i]!));
    await Promise.all(new Set(looks.map(({ over }) => over)));
    // All at once: the tags of those that need another look at the table are asked for together.
    const later: Promise<unknown>[] = [];
    for (const [n, i] of asked.entries()) {
      const look = looks[n]!;
      const judged = look.failure ?? this.judge.of(wanted[i]!, look);
      if (!types.isPromise(judged)) found[i] = judged;
      else later.push(judged.catch(asError).then((each) => (found[i] = each)));
    }
    await Promise.all(later);
    return found;
  }

  /** What it takes no look at Redis to find. */
  atOnce(wanted: Wanted): Found | undefined | Promise<Found> {
    return this.isBlocked(wanted) ? bypassed(wanted.key, this.parts.settings) : this.copy(wanted);
  }

  private async lookUp(wanted: Wanted): Promise<Found> {
    const look = this.looks.at(wanted);
    await look.over;
    if (look.failure) throw look.failure.error;
    return this.judge.of(wanted, look);
  }

  /** An evict of this key has not reached Redis, so what is there must not be used. */
  private isBlocked({ key }: Wanted): boolean {
    return this.state.journal.blocks(key.redisKey);
  }

  /** As `peek`; later only where a schema has to say what it is to the reader, to whom Redis would give the same. */
  private copy(wanted: Wanted): Found | undefined | Promise<Found> {
    const copy = this.peek(wanted.key, wanted.kind, wanted.reads);
    if (!copy) return undefined;
    this.judge.found(wanted, copy.value);
    return this.judge.fitting<Hit>({ state: 'hit', source: 'copy', ...copy }, wanted);
  }
}

const asError = (error: unknown): { error: unknown } => ({ error });
