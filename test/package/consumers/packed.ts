import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cwd, execPath } from 'node:process';
import { promisify } from 'node:util';

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

/** The package as it would be published, built from `lib/` in a folder of its own: others may build into `dist/` meanwhile. */
export class PackedPackage {
  private constructor(
    readonly name: string,
    /** Where npm's archive lies. */
    readonly archive: string,
    /** Whatever decides what npm installs beside it. */
    readonly requirements: object,
    private readonly folder: string,
  ) {}

  static async make(): Promise<PackedPackage> {
    const project = cwd();
    await mkdir(join(project, '.cache'), { recursive: true });
    const folder = await mkdtemp(join(project, '.cache', 'packed-'));
    try {
      for (const path of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'])
        await cp(join(project, path), join(folder, path));
      const tsc = join(project, 'node_modules/typescript/bin/tsc');
      const build = ['-p', 'tsconfig.build.json', '--outDir', join(folder, 'dist')];
      await run(execPath, [tsc, ...build], { cwd: project });
      const [{ filename }] = JSON.parse(await run('npm', ['pack', '--json', '--ignore-scripts'], { cwd: folder })); // prettier-ignore
      const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
      const { name, dependencies, peerDependencies, peerDependenciesMeta } = manifest;
      const requirements = { dependencies, peerDependencies, peerDependenciesMeta };
      return new PackedPackage(name, join(folder, filename), requirements, folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async unpackInto(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await run('tar', ['-xzf', this.archive, '--strip-components=1'], { cwd: folder });
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
