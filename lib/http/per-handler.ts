import type { ExecutionContext } from '@nestjs/common';

/** Something for each handler of each controller, made at the first request; bounded by the application's routes. */
export class PerHandler<T> {
  private readonly made = new WeakMap<object, Map<object, T>>();

  of(context: ExecutionContext, make: () => T): T {
    const [handler, controller] = [context.getHandler(), context.getClass()];
    const ofHandler = this.made.get(handler);
    const known = ofHandler?.get(controller);
    if (known !== undefined) return known;
    const made = make();
    this.made.set(handler, (ofHandler ?? new Map<object, T>()).set(controller, made));
    return made;
  }
}
