/** So many are taken out before the rest is copied. */
const RENEWED_AFTER = 256;

/**
 * A map of what comes and soon goes, whose order is that of a `Map`. V8 leaves a table that is too small or too empty with all
 * that was in it and a reference to the table that takes its place. Once one of them has become old, as happens while nothing
 * is done, each that follows is kept with its contents until the next full collection: every call under way is copied
 * twice and then kept for minutes. So it begins anew with a table that none refers to.
 */
export class PassingMap<K, V> {
  private map = new Map<K, V>();
  private taken = 0;

  get size(): number {
    return this.map.size;
  }

  get(key: K): V | undefined {
    return this.map.get(key);
  }

  has(key: K): boolean {
    return this.map.has(key);
  }

  set(key: K, value: V): void {
    this.map.set(key, value);
  }

  delete(key: K): void {
    if (!this.map.delete(key)) return;
    this.taken++;
    if (this.taken < RENEWED_AFTER || this.taken < this.map.size) return;
    this.taken = 0;
    this.map = new Map(this.map);
  }

  /** What is in it now, whatever is done to it meanwhile. */
  entries(): [K, V][] {
    return [...this.map];
  }

  values(): V[] {
    return [...this.map.values()];
  }
}
