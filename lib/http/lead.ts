import type { ExecutionContext } from '@nestjs/common';
import { tap, type Observable } from 'rxjs';
import { leadingTo, type Way } from '../cache/decorated/decorated-method.js';

/** One run of what an interceptor leads to, `next.handle()`: by a way that is over with it, where the handler is. */
export function lead(
  context: ExecutionContext,
  { endsWithHandler }: { readonly endsWithHandler: boolean },
  handle: (way: Way) => Observable<unknown>,
): Observable<unknown> {
  return leadingTo(context.getHandler(), (way) => {
    const end = (): void => way.end();
    return endsWithHandler ? handle(way).pipe(tap({ error: end, complete: end })) : handle(way);
  });
}
