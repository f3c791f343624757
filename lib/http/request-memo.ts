import {
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Observable } from 'rxjs';
import { CacheService, engineOf } from '../cache/cache.service.js';

/** As much of a response as tells when a request is over. */
interface Response {
  once(event: 'close', listener: () => void): unknown;
}

/**
 * Middleware that makes each request one memo of the cache, until its response is sent: guards, interceptors, handlers and the
 * resolvers of a GraphQL request read each key once. For `app.use`, with Express and Fastify.
 *
 * @publicApi
 */
export function requestMemo(
  cache: CacheService,
): (request: unknown, response: Response, next: () => void) => void {
  const memos = engineOf(cache)?.memos;
  return (_, response, next) => {
    if (memos) response.once('close', memos.begin(next).end);
    else next();
  };
}

/**
 * Makes what one handler does one memo of the cache, whatever the transport: HTTP, GraphQL, RPC, WebSocket. Guards run before
 * interceptors, and so outside of it.
 *
 * @publicApi
 */
@Injectable()
export class RequestMemoInterceptor implements NestInterceptor {
  constructor(private readonly cache: CacheService) {}

  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    const memos = engineOf(this.cache)?.memos;
    if (!memos) return next.handle();
    return new Observable((out) => {
      const { result: answer, end } = memos.begin(() => next.handle().subscribe(out));
      return () => {
        answer.unsubscribe();
        end();
      };
    });
  }
}
