import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What the numbers belong to. */
export interface Machine {
  /** ISO 8601. */
  readonly at: string;
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  /** Of the last minute, before anything was measured: more than the cores are used by others, and it tells on the numbers. */
  readonly load: number;
  readonly versions: Readonly<Record<string, string>>;
}

export async function describeMachine(redis: string): Promise<Machine> {
  const { version: ioredis } = createRequire(import.meta.url)('ioredis/package.json');
  const own = JSON.parse(await readFile(join(process.cwd(), 'package.json'), 'utf8'));
  return {
    at: new Date().toISOString(),
    cores: cpus().length,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    load: Number(loadavg()[0]!.toFixed(1)),
    versions: {
      node: process.versions.node,
      redis,
      ioredis,
      [own.name]: [own.version, await commit()].filter(Boolean).join(' '),
    },
  };
}

/** Of this clone; undefined without git. */
async function commit(): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('git', ['describe', '--always', '--dirty']);
    return `(${stdout.trim()})`;
  } catch {
    return undefined;
  }
}
