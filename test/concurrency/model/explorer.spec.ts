import { describe, expect, it } from '@jest/globals';
import { explore } from './explorer.js';
import { World } from './world.js';

const WALKER = { phase: ['start', 'middle', 'end'], met: { ref: 'walker' } } as const;

/** Two walkers from start to end; who is last in the middle notes whom it meets there. */
function walkers({ alike }: { alike: boolean }): World {
  const world = new World(new Set());
  const both = world.records('walker', 2, WALKER);
  both.forEach((walker, i) => {
    const other = both[1 - i]!;
    const at = world.phases(walker);
    world.rule(`${i} goes on`, at('start'), () => {
      walker.phase = 'middle';
      if (other.phase === 'middle') walker.met = 1 - i;
      return walker.met < 0 ? 'alone' : 'not alone';
    });
    world.perhaps(`${i} ends`, at('middle'), () => {
      walker.phase = 'end';
    });
  });
  if (alike) world.alike({ walker: [1, 0] });
  return world;
}

describe('explore', () => {
  it('two actors → every state once', () => {
    // 8 without a meeting (all 9 pairs but middle-middle); 1 + 2 + 1 after it, twice.
    expect(explore(walkers({ alike: false })).states).toBe(16);
  });

  it('identical actors → states that exchange them count once, references included', () => {
    const apart = explore(walkers({ alike: true }), { merge: 'same' }).states;
    expect([apart, explore(walkers({ alike: true })).states]).toEqual([16, 9]);
  });

  it('a violation in a step → the fewest steps that lead there, with what they said', () => {
    const world = walkers({ alike: true });
    const [rule] = world.rules;
    world.rules.push({
      ...rule!,
      label: 'falls',
      when: () => world.words.every((word) => (word & 3) === 1),
      run: () => {
        world.violation = { kind: 'stale read', text: 'both were in the middle' };
      },
    });
    const { violation } = explore(world);
    expect(violation).toMatchObject({ kind: 'stale read', text: 'both were in the middle' });
    expect(violation?.trace.map((step) => step.slice(2))).toEqual([
      'goes on: alone',
      'goes on: not alone',
      'lls',
    ]);
  });

  it('a violation at rest → seen where only steps are left that need not happen', () => {
    const world = walkers({ alike: true });
    world.atRest(() => ({ kind: 'stale entry at rest', text: 'here' }));
    expect(explore(world).violation?.trace).toHaveLength(2);
  });

  it('more states than allowed → throws, for the search has not come to its end', () => {
    expect(() => explore(walkers({ alike: false }), { maxStates: 5 })).toThrow(
      'more than 5 states',
    );
  });
});

describe('World', () => {
  it('a value that its field has no room for → RangeError', () => {
    const record = new World(new Set()).record({ small: 2 });
    expect(() => (record.small = 4)).toThrow(RangeError);
  });
});
