import { AsyncResource } from 'node:async_hooks';
import { defer, finalize, type Observable } from 'rxjs';
import { leadingTo, type Way } from '../cache/decorated/decorated-method.js';

/**
 * What leads to a handler, an interceptor's `next.handle()`, each time that it is subscribed to, see {@link leadingTo}: in the async
 * context of now, which is that of whatever is further out.
 */
export function led(
  handler: object,
  handle: (way: Way) => Observable<unknown>,
): Observable<unknown> {
  const lead = AsyncResource.bind(() => leadingTo(handler, handle));
  return defer(() => {
    const run = lead();
    return run.led.pipe(finalize(run.end));
  });
}
