/** A list in pieces of at most so many, in its order; an empty one has none. */
export function* portionsOf<T>(items: readonly T[], most: number): Generator<readonly T[]> {
  for (let i = 0; i < items.length; i += most) yield items.slice(i, i + most);
}
