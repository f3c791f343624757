import { afterEach } from '@jest/globals';

const ends: (() => unknown)[] = [];

/** What a test has for itself; ended after the test, also after one that fails, the latest first. */
export function owned<T>(thing: T, end: (thing: T) => unknown): T {
  ends.push(() => end(thing));
  return thing;
}

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});
