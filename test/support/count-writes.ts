import type { Redis } from 'ioredis';

/** What is called with whatever goes out to a socket. */
type Written = Record<'_write' | '_writev', (...args: unknown[]) => void>;

/** Counts the writes to a socket until the returned function is called, which gives their number. */
export function countWrites(stream: Redis['stream']): () => number {
  const socket = stream as unknown as Written;
  const { _write, _writev } = socket;
  let writes = 0;
  const counted =
    (write: typeof _write): typeof _write =>
    (...args) => {
      writes++;
      write.apply(socket, args);
    };
  Object.assign(socket, { _write: counted(_write), _writev: counted(_writev) });
  return () => {
    Object.assign(socket, { _write, _writev });
    return writes;
  };
}
