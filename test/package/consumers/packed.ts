import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cwd, env, execPath } from 'node:process';
import { promisify } from 'node:util';
import { oncePerRun } from '../../support/once-per-run.js';
import { PASSED_ON } from '../../support/start-server.js';

const exec = promisify(execFile);

/** What a program has said, in the error as well. */
export async function run(
  program: string,
  args: readonly string[],
  options: { cwd: string; env?: NodeJS.ProcessEnv },
): Promise<string> {
  const limits = { timeout: 240_000, maxBuffer: 16 << 20 };
  try {
    const { stdout } = await exec(program, args, { ...options, ...limits });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const shown = [program, ...args].join(' ').replaceAll(cwd(), '.');
    throw new Error(`${shown} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

/** The package as it would be published. */
export interface PackedPackage {
  readonly name: string;
  /** Where npm's archive lies. */
  readonly archive: string;
  /** Whatever decides what npm installs beside it. */
  readonly requirements: object;
}

/** Packed once for all files of tests, in the run's folder, and gone with it. */
export const packedPackage = (): Promise<PackedPackage> => oncePerRun('packed', pack);

/** Built from `lib/`, and not taken from `dist/`, into which others may build meanwhile. */
async function pack(): Promise<PackedPackage> {
  const project = cwd();
  const folder = join(env[PASSED_ON.runFolder]!, 'packed');
  await mkdir(folder);
  for (const path of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'])
    await cp(join(project, path), join(folder, path));
  const tsc = join(project, 'node_modules/typescript/bin/tsc');
  // What is wrong in `lib/` others say. Without the check the same is written, but for the order within unions, in half the time.
  const build = ['-p', 'tsconfig.build.json', '--noCheck', '--outDir', join(folder, 'dist')];
  await run(execPath, [tsc, ...build], { cwd: project });
  const packed = await run('npm', ['pack', '--json', '--ignore-scripts'], { cwd: folder });
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const { name, dependencies, peerDependencies, peerDependenciesMeta } = manifest;
  const requirements = { dependencies, peerDependencies, peerDependenciesMeta };
  return { name, archive: join(folder, filename), requirements };
}

export async function unpack(archive: string, into: string): Promise<void> {
  await rm(into, { recursive: true, force: true });
  await mkdir(into, { recursive: true });
  await run('tar', ['-xzf', archive, '--strip-components=1'], { cwd: into });
}
