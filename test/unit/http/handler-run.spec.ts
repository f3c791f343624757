import { describe, expect, it } from '@jest/globals';
import { EMPTY, lastValueFrom, of, Subject, throwError, toArray, type Observable } from 'rxjs';
import { HandlerRun, type Emitted } from '../../../lib/http/handler-run.js';

/** A run of a handler that gives `source`, and how often it was subscribed to. */
function runOf(source: Observable<unknown>) {
  let subscribed = 0;
  const handle = () => {
    subscribed += 1;
    return source;
  };
  return { run: new HandlerRun({ handle }), subscribed: () => subscribed };
}

const all = async (emitted: Emitted): Promise<unknown> =>
  emitted.one ? emitted : lastValueFrom(emitted.all.pipe(toArray()));

describe('HandlerRun', () => {
  it('P3 one value → the value; none, several → all of them', async () => {
    expect(await all(await runOf(of('a')).run.outcome())).toEqual({ one: true, value: 'a' });
    expect(await all(await runOf(EMPTY).run.outcome())).toEqual([]);
    expect(await all(await runOf(of('a', 'b', 'c')).run.outcome())).toEqual(['a', 'b', 'c']);
  });

  it('P3 several over time → known at the second, and none is lost', async () => {
    const source = new Subject<string>();
    const { run } = runOf(source);
    const outcome = run.outcome();
    source.next('a');
    source.next('b');
    const emitted = await outcome;
    source.next('c');
    const values = all(emitted);
    source.next('d');
    source.complete();
    expect(await values).toEqual(['a', 'b', 'c', 'd']);
  });

  it('an error, before or after a value → rejects with it', async () => {
    const error = new Error('of the handler');
    await expect(runOf(throwError(() => error)).run.outcome()).rejects.toBe(error);
    const source = new Subject<string>();
    const outcome = runOf(source).run.outcome();
    source.next('a');
    source.error(error);
    await expect(outcome).rejects.toBe(error);
  });

  it('asked twice → runs once', async () => {
    const { run, subscribed } = runOf(of('a'));
    expect(run.started).toBe(false);
    expect(await Promise.all([run.outcome(), run.outcome()])).toHaveLength(2);
    expect([run.started, subscribed()]).toEqual([true, 1]);
  });

  it('abandoned, nobody else waits → torn down; before it began → never runs', async () => {
    const source = new Subject<string>();
    const { run } = runOf(source);
    void run.outcome();
    run.abandon();
    expect(source.observed).toBe(false);
    const late = runOf(of('a'));
    late.run.abandon();
    expect(await all(await late.run.outcome())).toEqual([]);
    expect(late.subscribed()).toBe(0);
  });

  it.each(['before', 'after'])(
    'abandoned %s it began, others wait → goes on until they do not',
    async (when) => {
      const source = new Subject<string>();
      const { run } = runOf(source);
      const others = new AbortController();
      if (when === 'before') run.abandon();
      void run.outcome(others.signal);
      run.abandon();
      expect(source.observed).toBe(true);
      others.abort();
      expect(source.observed).toBe(false);
    },
  );

  it('the others do not wait any more, the request does → goes on', () => {
    const source = new Subject<string>();
    const { run } = runOf(source);
    const others = new AbortController();
    void run.outcome(others.signal);
    others.abort();
    expect(source.observed).toBe(true);
    run.abandon();
    expect(source.observed).toBe(false);
  });
});
