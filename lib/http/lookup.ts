import type { HttpRequest } from './http-exchange.js';

/** What a template's placeholder names in this request; `result` is there for evicts. */
export function lookupIn(
  request: HttpRequest,
  result?: unknown,
): (path: readonly string[]) => unknown {
  return ([root, ...path]) => {
    if (root === 'headers') return request.headers[path.join('.').toLowerCase()];
    let value = root === 'result' ? result : request[root as 'params' | 'query' | 'body' | 'user'];
    for (const name of path) {
      if (typeof value !== 'object' || value === null) return undefined;
      value = (value as Record<string, unknown>)[name];
    }
    return value;
  };
}
