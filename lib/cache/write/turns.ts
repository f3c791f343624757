import { PassingMap } from '../../common/passing-map.js';

/** One thing at a time for each name, in the order in which they were asked for. As many names as have something running. */
export class Turns {
  private readonly last = new PassingMap<string, Promise<unknown>>();

  take<T>(name: string, fn: () => T | Promise<T>): Promise<T> {
    const turn = (this.last.get(name) ?? Promise.resolve()).then(fn);
    const over = turn
      .catch(() => undefined)
      .then(() => {
        if (this.last.get(name) === over) this.last.delete(name);
      });
    this.last.set(name, over);
    return turn;
  }

  /** Resolves once what runs or waits now is over. */
  async over(): Promise<void> {
    await Promise.all(this.last.values());
  }
}
