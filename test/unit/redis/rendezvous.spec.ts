import { describe, expect, it } from '@jest/globals';
import { murmur3 } from '../../../lib/common/hash.js';
import { Rendezvous, type Candidate } from '../../../lib/redis/rendezvous.js';

const KEYS = 200_000;
const hashes = Array.from({ length: KEYS }, (_, i) => murmur3(`cache:kuser:${i}`));

const candidates = (...names: string[]): Candidate[] => names.map((name) => ({ name, weight: 1 }));
const servers = (count: number): Candidate[] =>
  candidates(...Array.from({ length: count }, (_, i) => `redis-${i}:6379`));

/** The owner of each key. */
function owners(among: readonly Candidate[]): string[] {
  const rendezvous = new Rendezvous(among);
  return hashes.map((hash) => rendezvous.ownerOf(hash).name);
}

/** How many keys have another owner in `after`, by that owner. */
function moves(before: readonly string[], after: readonly string[]): Map<string, number> {
  const to = new Map<string, number>();
  after.forEach((name, i) => name !== before[i] && to.set(name, (to.get(name) ?? 0) + 1));
  return to;
}

function shares(among: readonly Candidate[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of owners(among)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return new Map([...counts].map(([name, count]) => [name, count / KEYS]));
}

describe('Rendezvous', () => {
  /** Other processes have stored their entries by this: it must never change. */
  it('T2 ownerOf — keys of old → owners of old', () => {
    const plain = new Rendezvous(candidates('alpha', 'beta', 'gamma'));
    const weighted = new Rendezvous([
      { name: 'alpha', weight: 1 },
      { name: 'beta', weight: 2 },
      { name: 'gamma', weight: 1.5 },
    ]);
    const keys = ['a', 'b', 'c', 'user:1', 'user:2', 'cache:kuser:1', 'ü', 'x'.repeat(300)];
    const chosen = (among: Rendezvous<Candidate>): string =>
      keys.map((key) => among.ownerOf(murmur3(key)).name).join(' ');
    expect(chosen(plain)).toBe('alpha gamma gamma alpha alpha beta beta alpha');
    expect(chosen(weighted)).toBe('beta gamma gamma beta alpha beta beta beta');
  });

  it('T2 one alone → has every key', () => {
    expect(new Set(owners(candidates('a')))).toEqual(new Set(['a']));
  });

  it.each([2, 3, 5, 8])('T2 %i of the same weight → equal shares, within 10 %%', (count) => {
    const found = shares(servers(count));
    expect(found.size).toBe(count);
    for (const share of found.values()) expect(Math.abs(share * count - 1)).toBeLessThan(0.1);
  });

  it('T2 names that differ in one letter → equal shares all the same', () => {
    for (const share of shares(candidates('a', 'b', 'c', 'd')).values())
      expect(Math.abs(share * 4 - 1)).toBeLessThan(0.1);
  });

  it('T2 weights → shares in proportion, within 10 %', () => {
    const weights = { a: 1, b: 2, c: 0.5, d: 4.5 };
    const found = shares(Object.entries(weights).map(([name, weight]) => ({ name, weight })));
    for (const [name, weight] of Object.entries(weights))
      expect(Math.abs((found.get(name)! * 8) / weight - 1)).toBeLessThan(0.1);
  });

  it('T2 all weights times the same → the same owners', () => {
    const heavy = servers(4).map(({ name }) => ({ name, weight: 7 }));
    expect(moves(owners(servers(4)), owners(heavy)).size).toBe(0);
  });

  it('T2 in another order → the same owners', () => {
    const some = servers(5).map((server, i) => ({ ...server, weight: 1 + (i % 2) }));
    expect(moves(owners(some), owners(some.toReversed())).size).toBe(0);
  });

  it.each([1, 2, 4, 7])('T2 one more beside %i → only it gets keys, its share of them', (count) => {
    const moved = moves(owners(servers(count)), owners(servers(count + 1)));
    expect([...moved.keys()]).toEqual([`redis-${count}:6379`]);
    const share = moved.get(`redis-${count}:6379`)! / KEYS;
    expect(Math.abs(share * (count + 1) - 1)).toBeLessThan(0.1);
  });

  it('T2 any one of five goes → only its keys move, spread over all others', () => {
    const all = servers(5);
    const before = owners(all);
    for (const gone of all) {
      const after = owners(all.filter((server) => server !== gone));
      const lost = before.map((name, i) => (name === gone.name ? after[i]! : name));
      expect(moves(lost, after).size).toBe(0);
      const heirs = moves(before, after);
      expect(heirs.size).toBe(4);
      for (const count of heirs.values())
        expect(Math.abs((count / KEYS) * 20 - 1)).toBeLessThan(0.1);
    }
  });

  it('T2 one gets heavier → keys move to it alone', () => {
    const heavier = servers(4).map((server, i) => ({ ...server, weight: i === 2 ? 3 : 1 }));
    const moved = moves(owners(servers(4)), owners(heavier));
    expect([...moved.keys()]).toEqual(['redis-2:6379']);
    expect(moved.get('redis-2:6379')! / KEYS).toBeCloseTo(3 / 6 - 1 / 4, 2);
  });

  it('every hash there is at the edges → somebody', () => {
    const rendezvous = new Rendezvous(servers(3));
    for (const hash of [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1])
      expect(rendezvous.ownerOf(hash)).toMatchObject({ weight: 1 });
  });
});
