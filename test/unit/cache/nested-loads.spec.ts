import { describe, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isWithinOther, outsideLoads, runAsLoadOf } from '../../../lib/cache/nested-loads.js';
import { deferred } from '../../../lib/common/async.js';
import type { EntryStore } from '../../../lib/store/entry-store.js';

const store = {} as EntryStore;

const isRefused = (key: string): boolean => {
  try {
    isWithinOther({ key: { redisKey: key, given: key }, kind: 'value' }, store);
    return false;
  } catch {
    return true;
  }
};

const load = <T>(key: string, loader: () => T | Promise<T>): Promise<T> =>
  new Promise((resolve, reject) =>
    runAsLoadOf({ keys: new Set([key]), kind: 'value', store }, loader, { resolve, reject }),
  );

describe('loads within loads', () => {
  it('the same key, however deep → refused; another one, or outside → not', async () => {
    const seen = await load('a', () =>
      load('b', async () => {
        await nextTurn();
        return [isRefused('a'), isRefused('b'), isRefused('c'), outsideLoads(() => isRefused('a'))];
      }),
    );
    expect(seen).toEqual([true, true, false, false]);
    expect(isRefused('a')).toBe(false);
  });

  it('when all loads have ended, and others begin → refused again', async () => {
    for (let i = 0; i < 3; i++) {
      expect(await load('a', async () => (await nextTurn(), isRefused('a')))).toBe(true);
      expect(isRefused('a')).toBe(false);
    }
  });

  it('one ends while another runs → that one is still known', async () => {
    const ends = deferred<void>();
    const long = load('long', async () => (await ends.promise, isRefused('long')));
    expect(await load('short', () => isRefused('short'))).toBe(true);
    ends.resolve();
    expect(await long).toBe(true);
  });

  it('what a loader has left behind, while others run → may load its key, and is part of no load', async () => {
    const goOn = deferred<void>();
    let left!: Promise<boolean[]>;
    await load('a', () => {
      left = goOn.promise.then(() =>
        load('b', () => load('c', () => [isRefused('a'), isRefused('b'), isRefused('c')])),
      );
    });
    const ends = deferred<void>();
    const other = load('other', () => ends.promise);
    goOn.resolve();
    expect(await left).toEqual([false, true, true]);
    ends.resolve();
    await other;
  });

  it('the same key as another kind of entry → told, and not refused', async () => {
    const key = { redisKey: 'a', given: 'a' };
    expect(await load('a', () => isWithinOther({ key, kind: 'http' }, store))).toBe(true);
    expect(await load('b', () => isWithinOther({ key, kind: 'http' }, store))).toBe(false);
  });

  it('the same key of another store → neither refused nor told', async () => {
    const key = { redisKey: 'a', given: 'a' };
    const other = {} as EntryStore;
    for (const kind of ['value', 'http'] as const)
      expect(await load('a', () => isWithinOther({ key, kind }, other))).toBe(false);
  });

  it('a loader that throws → has ended', async () => {
    await expect(load('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(isRefused('a')).toBe(false);
  });
});
