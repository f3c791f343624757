import { AsyncLocalStorage } from 'node:async_hooks';
import type { OwnChange } from '../bus/invalidation-feed.js';
import { pathOf } from '../tags/table-key.js';
import type { Opened } from './entry.js';

/** Keys remembered in one scope; further ones are read each time. */
const MOST_KEYS = 1_000;

/** The place of one key in a memo. What comes of a read is kept in it only while it is still there. */
export interface Slot {
  /** The first answer: undefined is a miss. Until there is one, the slot is only there to be taken away. */
  answer?: Promise<Opened | undefined>;
}

/** The answers that one call has got, by Redis key. */
export class Memo {
  private readonly slots = new Map<string, Slot>();
  private open = true;

  /** Once the call has ended, what it left running reads for itself. */
  get isOpen(): boolean {
    return this.open;
  }

  answer(redisKey: string): Promise<Opened | undefined> | undefined {
    return this.slots.get(redisKey)?.answer;
  }

  /** To be taken before the read is sent; undefined: there is no more room. */
  slot(redisKey: string): Slot | undefined {
    let slot = this.slots.get(redisKey);
    if (!slot && this.slots.size < MOST_KEYS) this.slots.set(redisKey, (slot = {}));
    return slot;
  }

  /** A read that fails is no answer. */
  remember(redisKey: string, slot: Slot | undefined, answer: Promise<Opened | undefined>): void {
    if (!slot) return;
    slot.answer = answer;
    answer.catch(() => this.slots.get(redisKey) === slot && this.slots.delete(redisKey));
  }

  forget(redisKey: string): void {
    this.slots.delete(redisKey);
  }

  /** Everything in one namespace. */
  forgetPath(path: string): void {
    for (const redisKey of this.slots.keys()) if (pathOf(redisKey) === path) this.forget(redisKey);
  }

  close(): void {
    this.open = false;
    this.slots.clear();
  }
}

/**
 * Memos of calls: within one, a key is read once, and what the call itself changes is forgotten. What others change meanwhile
 * is not seen, which is the price. Of one cache, with all its namespaces; another one in the same call has its own.
 */
export class RequestMemos {
  /** Made by the first scope: most applications have none, and should not pay for looking. */
  private scopes: AsyncLocalStorage<Memo | undefined> | undefined;

  get current(): Memo | undefined {
    const memo = this.scopes?.getStore();
    return memo?.isOpen ? memo : undefined;
  }

  /** Within another scope it is that one. The memo ends with the promise that `fn` returns. */
  async run<T>(fn: () => T | Promise<T>): Promise<T> {
    const { result, end } = this.begin(async () => fn());
    return result.finally(end);
  }

  /** For a scope whose end is told by something else than a promise: a response that has been sent. */
  begin<T>(fn: () => T): { result: T; end: () => void } {
    if (this.current) return { result: fn(), end: () => undefined };
    const memo = new Memo();
    const end = (): void => memo.close();
    return { result: (this.scopes ??= new AsyncLocalStorage()).run(memo, fn), end };
  }

  /** As {@link CallModes.close}. */
  close(): void {
    this.scopes?.disable();
  }

  /** As if no scope were around it. */
  outside<T>(fn: () => T): T {
    return this.scopes?.getStore() ? this.scopes.run(undefined, fn) : fn();
  }

  /** This call is about to change an entry, or has. */
  forget(redisKey: string): void {
    this.current?.forget(redisKey);
  }

  /** This call has changed something. */
  changed(change: OwnChange): void {
    const memo = this.current;
    if (!memo) return;
    if ('keys' in change) for (const { redisKey } of change.keys) memo.forget(redisKey);
    else memo.forgetPath(change.path);
  }
}
