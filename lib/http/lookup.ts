import type { ExecutionContext } from '@nestjs/common';
import type { Given } from '../keys/key-source.js';
import { walk } from '../keys/sources.js';
import { userOf, type HttpRequest } from './http-exchange.js';

/** What a template's placeholder names in this request; `result` is there for evicts. */
export function lookupIn(request: HttpRequest, result?: unknown): Given['lookup'] {
  return ([root, ...path]) => {
    if (root === 'headers') return request.headers[path.join('.').toLowerCase()];
    if (root === 'result') return walk(result, path);
    if (root === 'user') return walk(userOf(request), path);
    return walk(request[root as 'params' | 'query' | 'body'], path);
  };
}

/** What keys, tags and patterns are made of in this request. */
export function givenBy(context: ExecutionContext, ...result: [] | [unknown]): Given {
  const request = context.switchToHttp().getRequest<HttpRequest>();
  return { lookup: lookupIn(request, result[0]), call: (fn) => fn(context, ...result) };
}
