import type { CallHandler } from '@nestjs/common';
import { EMPTY, Observable, type Subscriber, Subscription } from 'rxjs';
import { deferred } from '../common/async.js';

/** What a handler gave: one value, which is an answer that can be kept, or anything else, which is only passed on. */
export type Emitted = { one: true; value: unknown } | { one: false; all: Observable<unknown> };

/** One run of a handler; it begins when it is asked for, and never a second time. */
export class HandlerRun {
  private readonly subscription = new Subscription();
  private running: Promise<Emitted> | undefined;
  private signal: AbortSignal | undefined;
  private abandoned = false;

  constructor(private readonly next: CallHandler) {}

  get started(): boolean {
    return this.running !== undefined;
  }

  /** Rejects with the handler's error. `signal`: until when others wait for this run, see {@link abandon}. */
  outcome(signal?: AbortSignal): Promise<Emitted> {
    this.running ??= this.start(signal);
    return this.running;
  }

  /**
   * The request is gone: its client hung up, or an interceptor further out has lost patience. A run that answers others as
   * well goes on for as long as they wait for it, so that one client cannot make all of them run the handler; any other run
   * is torn down.
   */
  abandon(): void {
    this.abandoned = true;
    if (this.started && (!this.signal || this.signal.aborted)) this.subscription.unsubscribe();
  }

  private start(signal: AbortSignal | undefined): Promise<Emitted> {
    if (this.abandoned && !signal) return Promise.resolve({ one: false, all: EMPTY });
    this.signal = signal;
    signal?.addEventListener('abort', () => this.abandoned && this.subscription.unsubscribe());
    const { promise, resolve, reject } = deferred<Emitted>();
    /** Emitted and not yet passed on: one value until the handler completes, more only until `all` is subscribed to. */
    const held: unknown[] = [];
    let out: Subscriber<unknown> | undefined;
    let end: ((subscriber: Subscriber<unknown>) => void) | undefined;
    const all = new Observable<unknown>((subscriber) => {
      for (const value of held.splice(0)) subscriber.next(value);
      if (end) return end(subscriber);
      out = subscriber;
      return () => this.subscription.unsubscribe();
    });
    this.subscription.add(
      this.next.handle().subscribe({
        next: (value) => {
          if (out) out.next(value);
          else if (held.push(value) === 2) resolve({ one: false, all });
        },
        error: (error: unknown) => {
          end = (subscriber) => subscriber.error(error);
          if (out) end(out);
          else reject(error);
        },
        complete: () => {
          end = (subscriber) => subscriber.complete();
          if (out) end(out);
          else resolve(held.length === 1 ? { one: true, value: held[0] } : { one: false, all });
        },
      }),
    );
    return promise;
  }
}
