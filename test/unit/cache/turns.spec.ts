import { describe, expect, it } from '@jest/globals';
import { Turns } from '../../../lib/cache/write/turns.js';
import { Gate } from '../../support/gate.js';

describe('Turns', () => {
  it('W6 one comes when an earlier one is over and another runs → waits for that one', async () => {
    const turns = new Turns();
    const seen: string[] = [];
    const gate = new Gate();
    const first = turns.take('k', () => void seen.push('first'));
    const second = turns.take('k', async () => (await gate.pass(), seen.push('second')));
    await first;
    await gate.arrived();
    await new Promise(setImmediate);
    const third = turns.take('k', () => void seen.push('third'));
    await turns.take('other', () => void seen.push('other'));
    gate.open();
    await Promise.all([second, third]);
    expect(seen).toEqual(['first', 'other', 'second', 'third']);
  });

  it('W6 one fails → its error, and the next has its turn', async () => {
    const turns = new Turns();
    const bad = turns.take('k', () => Promise.reject(new Error('no')));
    const next = turns.take('k', () => 1);
    await expect(bad).rejects.toThrow('no');
    expect(await next).toBe(1);
    await turns.over();
  });
});
