import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Origin } from '../../../lib/bus/message.js';
import { Sequences } from '../../../lib/bus/sequence.js';

describe('Sequences', () => {
  let sequences: Sequences;

  beforeEach(() => {
    sequences = new Sequences();
  });

  /** Another change has been told of. */
  const hear = (sequence: number, from: Partial<Origin> = {}): boolean =>
    sequences.follow({
      origin: { instance: 'a', link: 0, ...from, sequence },
      invalidation: { reason: 'evict', keys: [] },
    });
  /** So many have been told of, says a message that comes after them. */
  const hearTail = (sequence: number): boolean =>
    sequences.follow({ origin: { instance: 'a', link: 0, sequence } });

  it('I4 each message comes, some twice or late, and their number is repeated → none is missing', () => {
    expect([hear(1), hear(2), hear(2), hear(3), hear(1)]).toEqual(Array(5).fill(true));
    expect([hearTail(2), hearTail(3), hear(4), hearTail(4)]).toEqual(Array(4).fill(true));
  });

  it('I4 one is left out → missing, once', () => {
    expect([hear(1), hear(3), hear(4), hearTail(4)]).toEqual([true, false, true, true]);
  });

  it('I4 the last one does not come → missing by the number that is repeated, once', () => {
    expect([hear(1), hearTail(2), hearTail(2), hear(3)]).toEqual([true, false, true, true]);
  });

  it('I4 the first of a connection is not the first that it has sent → missing', () => {
    expect([hear(2), hear(3)]).toEqual([false, true]);
  });

  it('I4 several connections of several processes → each counts by itself', () => {
    for (const from of [{ link: 1 }, { instance: 'b' }, { instance: 'b', link: 1 }, {}])
      expect([hear(1, from), hear(2, from)]).toEqual([true, true]);
    expect(hear(4, { link: 1 })).toBe(false);
    expect([hear(3, { instance: 'b' }), hear(4)]).toEqual([true, false]);
  });

  it('I4 more connections than are remembered → the one that was silent for longest is taken for new', () => {
    for (let link = 0; link < 10_000; link++) hear(1, { link });
    expect(hear(2, { link: 0 })).toBe(true);
    hear(1, { link: 10_000 });
    expect(hear(3, { link: 0 })).toBe(true);
    expect(hear(2, { link: 2 })).toBe(true);
    expect(hear(2, { link: 1 })).toBe(false);
  });
});
