import type { Violation, World } from './world.js';

export interface Exploration {
  /** Distinct states, those counted once that differ in the names of identical actors only. */
  states: number;
  ms: number;
  /** With the steps that lead to it, as few as possible. */
  violation?: Violation & { trace: string[] };
}

export interface ExploreOptions {
  /** Default 6 million, some 300 MB. */
  maxStates?: number;
  /** Which states count as one: those that only exchange identical actors (default), or the same only. */
  merge?: 'alike' | 'same';
}

/**
 * Visits every state that a model can reach, nearest first, so that the first violation has a shortest trace. Throws
 * beyond `maxStates`: a space that was not searched to its end proves nothing.
 */
export function explore(world: World, options: ExploreOptions = {}): Exploration {
  const { maxStates = 6_000_000, merge = 'alike' } = options;
  const began = performance.now();
  const { words } = world;
  const visited = new StateSet(words.length);
  const canonical = merge === 'alike' ? canonicalizer(world) : (state: Int32Array) => state;
  const end = (violation?: Exploration['violation']): Exploration => ({
    states: visited.size,
    ms: performance.now() - began,
    ...(violation && { violation }),
  });

  world.violation = undefined;
  for (const _ of world.initialStates()) visited.add(canonical(words), -1);
  const state = new Int32Array(words.length);
  for (let at = 0; at < visited.size; at++) {
    visited.copyTo(state, at);
    copy(state, words);
    let atRest = true;
    for (const { when, run, optional } of world.rules) {
      if (!when()) continue;
      atRest &&= optional;
      run();
      if (world.violation) return end(traced(world, visited.pathTo(at), canonical));
      visited.add(canonical(words), at);
      copy(state, words);
    }
    if (atRest && world.checkRest()) return end(traced(world, visited.pathTo(at), canonical));
    if (visited.size > maxStates) throw new Error(`more than ${maxStates} states`);
  }
  return end();
}

/** Of all states that a renaming of identical actors makes of this one, the least. */
function canonicalizer(world: World): (state: Int32Array) => Int32Array {
  const renamings = world.renamings();
  if (renamings.length === 0) return (state) => state;
  let least = new Int32Array(world.words.length);
  let other = new Int32Array(world.words.length);
  return (state) => {
    copy(state, least);
    for (const rename of renamings) {
      rename(state, other);
      if (isLess(other, least)) [least, other] = [other, least];
    }
    return least;
  };
}

/** For so few words faster than `set`. */
function copy(from: Int32Array, to: Int32Array): void {
  for (let i = 0; i < to.length; i++) to[i] = from[i]!;
}

function isLess(a: Int32Array, b: Int32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! < b[i]!;
  return false;
}

/**
 * Takes the path once more with the actors' own names: whatever step leads to the next state, up to renaming. `path`
 * ends in the state at rest, or in the one from which a last step violates.
 */
function traced(
  world: World,
  path: readonly Int32Array[],
  canonical: (state: Int32Array) => Int32Array,
): NonNullable<Exploration['violation']> {
  const { words } = world;
  const inStep = world.violation !== undefined;
  const equals = (other: Int32Array): boolean => {
    const mine = canonical(words);
    return other.every((word, i) => word === mine[i]);
  };
  const trace: string[] = [];
  const step = (reached: () => boolean): void => {
    const from = words.slice();
    for (const { label, when, run } of world.rules) {
      if (!when()) continue;
      const detail = run();
      if (reached()) return void trace.push(detail ? `${label}: ${detail}` : label);
      words.set(from);
    }
    throw new Error('the path has no such step: the symmetries do not hold');
  };
  world.violation = undefined;
  for (const _ of world.initialStates()) if (equals(path[0]!)) break;
  for (const next of path.slice(1)) step(() => equals(next));
  if (inStep) step(() => world.violation !== undefined);
  return { ...(world.violation ?? world.checkRest()!), trace };
}

/** The visited states in the order of their discovery, which is also the queue; a hash table of indices finds them. */
class StateSet {
  size = 0;
  private states: Int32Array;
  private parents = new Int32Array(1 << 12);
  /** Index + 1 of a state, 0: free. Twice as long as there are states, at least. */
  private table = new Int32Array(1 << 13);

  constructor(private readonly width: number) {
    this.states = new Int32Array(width << 12);
  }

  add(state: Int32Array, parent: number): void {
    if (this.size === this.parents.length) this.grow();
    const slot = this.slotOf(state);
    if (this.table[slot] !== 0) return;
    this.states.set(state, this.size * this.width);
    this.parents[this.size] = parent;
    this.table[slot] = ++this.size;
  }

  copyTo(target: Int32Array, at: number): void {
    const { states, width } = this;
    for (let i = 0, from = at * width; i < width; i++) target[i] = states[from + i]!;
  }

  pathTo(at: number): Int32Array[] {
    const path: Int32Array[] = [];
    for (let i = at; i >= 0; i = this.parents[i]!)
      path.unshift(this.states.slice(i * this.width, (i + 1) * this.width));
    return path;
  }

  /** Where the state is, or the free slot where it belongs. */
  private slotOf(state: Int32Array): number {
    const { table, states, width } = this;
    const mask = table.length - 1;
    for (let slot = hash(state) & mask; ; slot = (slot + 1) & mask) {
      const found = table[slot]! - 1;
      if (found < 0) return slot;
      let i = 0;
      while (i < width && states[found * width + i] === state[i]) i++;
      if (i === width) return slot;
    }
  }

  private grow(): void {
    this.states = doubled(this.states);
    this.parents = doubled(this.parents);
    this.table = new Int32Array(this.table.length * 2);
    const state = new Int32Array(this.width);
    for (let at = 0; at < this.size; at++) {
      this.copyTo(state, at);
      this.table[this.slotOf(state)] = at + 1;
    }
  }
}

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(array.length * 2);
  longer.set(array);
  return longer;
}

/** Taken out of the global scope, where a test environment makes every look-up slow. */
const { imul } = Math;

function hash(state: Int32Array): number {
  let h = 0x9e3779b9;
  for (let i = 0; i < state.length; i++) {
    h = imul(h ^ state[i]!, 0x85ebca6b);
    h ^= h >>> 15;
  }
  h = imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
