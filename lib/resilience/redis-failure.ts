import {
  CacheConnectionError,
  CacheError,
  CacheTimeoutError,
  isCacheError,
} from '../common/errors.js';

/** Errors of our own making, which no retry and no degrading heals. By name: a test runner's realm has its own classes. */
const PROGRAMMING_ERRORS = new Set(['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError']);

/** Where Redis and its client quote what was sent or received. */
const QUOTES = /(with args beginning with|Last reply:)[^]*$/;

/**
 * The error with nothing of the command in it. The client hangs the whole command on its errors, with every argument, so a
 * stored value would end up in a log.
 */
export function withoutCommand(error: unknown): Error {
  const failure = error instanceof Error ? error : new Error(String(error));
  delete (failure as { command?: unknown }).command;
  delete (failure as { input?: unknown }).input;
  if (QUOTES.test(failure.message)) {
    failure.message = failure.message.replace(QUOTES, '$1 …');
    failure.stack = `${failure.name}: ${failure.message}`;
  }
  return failure;
}

/**
 * What a failed call to Redis is to the rest of the cache; a programming error stays what it is. `lost`: why the connection was
 * lost, or could not be made, where that is known.
 */
export function toCacheError(
  error: unknown,
  operation: string,
  node: string,
  lost?: Error,
): unknown {
  if (isCacheError(error)) return error;
  const failure = withoutCommand(error);
  if (PROGRAMMING_ERRORS.has(failure.name)) return failure;
  const said = wordsFor(failure.message);
  const cause = said !== undefined && lost ? lost : failure;
  if (!said && /timed out|ETIMEDOUT/.test(cause.message))
    return new CacheTimeoutError(`${operation} failed at ${node}: ${cause.message}`, { cause });
  const what = said ? `${said}${lost ? `: ${lost.message}` : ''}` : explained(cause.message);
  return new CacheConnectionError(`${operation} failed at ${node}: ${what}`, { cause });
}

/** What a node of a cluster says to a client that does not know it for one. */
const explained = (message: string): string =>
  /^(MOVED|CROSSSLOT) /.test(message)
    ? `${message}; is it a Redis Cluster (topology.type 'cluster')?`
    : message;

/** Of a client that takes no commands at this moment. */
export const unconnected = (status: string): Error => new Error(`the connection is ${status}`);

/** For that, and for what the client says of a command without a connection: of options that nobody has set. */
function wordsFor(message: string): string | undefined {
  if (/^the connection is |isn't (writeable|ready) and enableOfflineQueue/.test(message))
    return 'there is no connection';
  return message.startsWith('Reached the max retries per request')
    ? 'the connection was lost'
    : undefined;
}

/** Whether the server has sent it, and so is there, whatever it refuses: OOM, READONLY, MISCONF, NOPERM, MOVED, LOADING. */
export function isReply(error: unknown): boolean {
  return error instanceof Object && 'name' in error && error.name === 'ReplyError';
}

export function lateAnswer(operation: string, node: string, limit: string): CacheError {
  return new CacheTimeoutError(
    `${operation} was not answered by ${node} within ${limit}; it may still be carried out`,
  );
}
