import { describe, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Context } from '../../../lib/common/context.js';

describe('Context', () => {
  it('needed by two → carried along until both have given it back, and then no more', async () => {
    const context = new Context<string>();
    context.need();
    context.need();
    await context.run('given', async () => {
      await nextTurn();
      context.release();
      await nextTurn();
      expect(context.current).toBe('given');
      context.release();
      expect(context.current).toBeUndefined();
    });
  });

  it('needed once more → carries along what is given from then on', async () => {
    const context = new Context<string>();
    context.need();
    context.release();
    context.need();
    const seen = await context.run('again', async () => {
      await nextTurn();
      return [context.current, context.run('within', () => context.current), context.current];
    });
    expect(seen).toEqual(['again', 'within', 'again']);
    expect(context.current).toBeUndefined();
  });
});
