import { Context } from '../common/context.js';
import type { Call, Place } from './wrap-method.js';

/** What one call of a decorated method keeps others from while it runs: a key of a cache, or locks. */
export interface Kept {
  readonly owner: object;
  readonly names: readonly string[];
  readonly call: Call;
  readonly place: Place;
}

const kept = new Context<readonly (Kept & { isOver: boolean })[]>();

const keptNow = () => (kept.current ?? []).filter(({ isOver }) => !isOver);

/** Runs `work`, which keeps others from that. */
export async function keeping<T>(own: Kept, work: () => Promise<T>): Promise<T> {
  const entry = { ...own, isOver: false };
  kept.need();
  try {
    return await kept.run([...keptNow(), entry], work);
  } finally {
    entry.isOver = true;
    kept.release();
  }
}

/**
 * Which of them are still to be kept: not those of a method that overrides this one, and has called it by `super`. This one is a
 * part of that, for which it would otherwise wait in vain, or be the other that comes in between.
 */
export function notYetKept({ owner, names, call, place }: Kept): readonly string[] {
  const others = keptNow().filter(
    (other) =>
      other.owner === owner &&
      other.call.instance === call.instance &&
      other.place.name === place.name &&
      other.place.target !== place.target,
  );
  const theirs = others.flatMap((other) => other.names);
  return theirs.length > 0 ? names.filter((name) => !theirs.includes(name)) : names;
}
