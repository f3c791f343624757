import { describe, expect, it } from '@jest/globals';
import { RequestMemos } from '../../../lib/cache/request-memo.js';
import { Gate } from '../../support/gate.js';

describe('RequestMemos', () => {
  it('C8 more than 1 000 keys → the further ones are not remembered, and those that were remain', async () => {
    const memos = new RequestMemos();
    await memos.run(async () => {
      const memo = memos.current!;
      const keys = Array.from({ length: 1_005 }, (_, i) => `cache:k${i}`);
      for (const key of keys)
        memo.remember(key, memo.slot(key), Promise.resolve({ take: () => key, freshMs: () => 1 }));
      expect(keys.filter((key) => memo.answer(key) !== undefined)).toEqual(keys.slice(0, 1_000));
      memo.forget(keys[0]!);
      expect(memo.slot('cache:knew')).toBeDefined();
      memo.forgetPath('cache');
      expect(keys.filter((key) => memo.answer(key) !== undefined)).toEqual([]);
    });
  });

  it('C8 no scope → none is looked for; within one that has ended neither', async () => {
    const memos = new RequestMemos();
    expect(memos.current).toBeUndefined();
    const gate = new Gate();
    const { result, end } = memos.begin(() => ({
      memo: memos.current,
      leftRunning: gate.pass().then(() => memos.current),
    }));
    expect(result.memo).toBeDefined();
    end();
    expect(result.memo!.isOpen).toBe(false);
    expect(memos.current).toBeUndefined();
    gate.open();
    expect(await result.leftRunning).toBeUndefined();
  });

  it('C8 outside → no memo; a read that fails → no answer', async () => {
    const memos = new RequestMemos();
    await memos.run(async () => {
      const memo = memos.current!;
      expect(memos.outside(() => memos.current)).toBeUndefined();
      const failing = Promise.reject(new Error('down'));
      memo.remember('cache:kx', memo.slot('cache:kx'), failing);
      await expect(failing).rejects.toThrow('down');
      expect(memo.answer('cache:kx')).toBeUndefined();
    });
  });

  it('C8 forgotten while it is read → what comes of that is no answer, and costs no later one', async () => {
    const memos = new RequestMemos();
    await memos.run(async () => {
      const memo = memos.current!;
      const begun = memo.slot('cache:kx');
      memo.forget('cache:kx');
      memo.remember('cache:kx', begun, Promise.resolve(undefined));
      expect(memo.answer('cache:kx')).toBeUndefined();

      const gate = new Gate();
      const failing = gate.pass().then(() => undefined);
      memo.remember('cache:kx', memo.slot('cache:kx'), failing);
      memo.forget('cache:kx');
      const later = Promise.resolve(undefined);
      memo.remember('cache:kx', memo.slot('cache:kx'), later);
      gate.fail(new Error('down'));
      await expect(failing).rejects.toThrow('down');
      expect(memo.answer('cache:kx')).toBe(later);
    });
  });

  it('C8 a namespace is forgotten → the others are not', async () => {
    const memos = new RequestMemos();
    await memos.run(async () => {
      const memo = memos.current!;
      const keys = ['cache:kx', 'cache/users:kx'];
      for (const key of keys) memo.remember(key, memo.slot(key), Promise.resolve(undefined));
      memos.changed({ reason: 'clear', path: 'cache' });
      expect(keys.map((key) => memo.answer(key) !== undefined)).toEqual([false, true]);
    });
  });

  it('C8 a call that gives no promise → its value; what it has read is let go with its end', async () => {
    const memos = new RequestMemos();
    const answer = Promise.resolve(undefined);
    const memo = await memos.run(() => {
      const { current } = memos;
      current!.remember('cache:kx', current!.slot('cache:kx'), answer);
      return current!;
    });
    expect(memo.isOpen).toBe(false);
    expect(memo.answer('cache:kx')).toBeUndefined();
  });
});
