import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import globalTeardown from '../support/global-teardown.ts';
import { PASSED_ON } from '../support/start-server.ts';
import { layOut, TABLE_FILE, type Line } from './table.ts';

/** Shows what all specs have measured, then tears down as after any other run. */
export default async function printTable(): Promise<void> {
  const file = join(process.env[PASSED_ON.runFolder]!, TABLE_FILE);
  if (existsSync(file)) {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    console.log(`\n${layOut(lines.map((line) => JSON.parse(line) as Line))}\n`);
  }
  await globalTeardown();
}
