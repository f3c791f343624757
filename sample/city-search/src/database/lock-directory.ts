import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const BEAT_MS = 1000;
const SILENCE_MS = 3 * BEAT_MS;

/**
 * One process at a time: PGlite does not guard its files, and two would destroy them. The holder writes a file every
 * second. A file that is no longer written is from one that was killed; its process id would not tell, since it may
 * be another program's by now. Resolves with the release.
 */
export async function lockDirectory(directory: string): Promise<() => void> {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'in-use');
  const before = lastBeat(file);
  if (Date.now() - before < SILENCE_MS) await sleep(SILENCE_MS);
  if (lastBeat(file) > before) {
    throw new Error(
      `The database in ${directory} is in use by another city search. Stop that one, or give this one a database ` +
        'of its own: CITY_SEARCH_DATA=memory npm start',
    );
  }
  const beat = () => writeFileSync(file, '');
  beat();
  const timer = setInterval(beat, BEAT_MS).unref();
  return () => {
    clearInterval(timer);
    rmSync(file, { force: true });
  };
}

/** Milliseconds since the epoch; 0: nobody has it. */
function lastBeat(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
