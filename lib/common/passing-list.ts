/** What is in a {@link PassingList}, which alone changes these. */
export interface Link<T> {
  before: T | undefined;
  after: T | undefined;
}

/**
 * What comes and soon goes, in the order in which it came. Each knows its neighbours: a `Set` through which one passes after the
 * other is made anew every few times, which took a fifth of all that is done for a read.
 */
export class PassingList<T extends Link<T>> {
  first: T | undefined;
  size = 0;
  private last: T | undefined;

  add(item: T): void {
    const { last } = this;
    item.before = last;
    if (last) last.after = item;
    else this.first = item;
    this.last = item;
    this.size++;
  }

  /** Only of what is in it. */
  delete(item: T): void {
    const { before, after } = item;
    if (before) before.after = after;
    else this.first = after;
    if (after) after.before = before;
    else this.last = before;
    // Else one that has grown old keeps all that came after it until the next full collection.
    item.before = item.after = undefined;
    this.size--;
  }

  /** What is in it now, whatever is done to it meanwhile. */
  items(): T[] {
    const items: T[] = [];
    for (let item = this.first; item; item = item.after) items.push(item);
    return items;
  }
}
