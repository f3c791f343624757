import type { ServerResponse } from 'node:http';

/** Says in `Server-Timing` how many milliseconds the request took here, from its arrival to its response's headers. */
export function serverTiming(_: unknown, response: ServerResponse, next: () => void): void {
  const begun = performance.now();
  const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse;
  response.writeHead = (...args: unknown[]) => {
    response.setHeader('Server-Timing', `total;dur=${(performance.now() - begun).toFixed(2)}`);
    return writeHead(...args);
  };
  next();
}
