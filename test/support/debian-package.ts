import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { problemOf } from './binary.ts';

const run = promisify(execFile);

/** One apt command, also over a slow line. */
const APT_TIMEOUT_MS = 120_000;

/** Debian and Ubuntu keep the server's program in redis-tools, under a second name; redis-server has only the service. */
const PACKAGE = 'redis-tools';
const PROGRAM = 'usr/bin/redis-check-rdb';

export interface UnpackedServer {
  binary: string;
  libraryPath: string;
}

/**
 * The distribution's own server, without root: its packages are downloaded by apt and unpacked into `cacheFolder`,
 * where later runs find them. Throws with the reason where that cannot be done.
 */
export async function unpackDebianPackage(cacheFolder: string): Promise<UnpackedServer> {
  if (!existsSync('/usr/bin/apt-get') || !existsSync('/usr/bin/dpkg-deb'))
    throw new Error('no apt-get, this is neither Debian nor Ubuntu');
  const home = join(cacheFolder, `debian-${process.arch}`);
  const cached = await locate(home);
  if (!(await problem(cached))) return cached;

  await mkdir(cacheFolder, { recursive: true });
  const work = await mkdtemp(join(cacheFolder, 'unpack-'));
  try {
    const root = join(work, 'root');
    await download(join(work, 'archives'), join(work, 'apt'));
    await unpack(join(work, 'archives'), root);
    const reason = await problem(await locate(root));
    if (reason) throw new Error(reason);
    await rm(home, { recursive: true, force: true });
    // Two runs at once both unpack; who comes second finds the folder taken, and it holds the same.
    await rename(root, home).catch(() => undefined);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return locate(home);
}

/** The packages that are missing here, by the system's package lists or, where these are absent or old, by our own. */
async function download(archives: string, aptHome: string): Promise<void> {
  await mkdir(archives, { recursive: true });
  for (const folder of ['state/lists/partial', 'cache/archives/partial'])
    await mkdir(join(aptHome, folder), { recursive: true });
  const cache = ['-o', `Dir::Cache=${join(aptHome, 'cache')}`];
  try {
    await downloadMissing(archives, cache);
  } catch {
    const state = ['-o', `Dir::State=${join(aptHome, 'state')}`];
    const own = [...cache, ...state, '-o', 'Dir::State::status=/var/lib/dpkg/status'];
    // A source that does not answer need not be the one that matters; where it is, its words explain the failure.
    const update = [...own, '-o', 'APT::Update::Error-Mode=any', 'update'];
    const problem = await apt(update, archives).catch((error: Error) => error);
    await downloadMissing(archives, own).catch((cause: Error) => {
      throw problem instanceof Error ? problem : cause;
    });
  }
}

async function downloadMissing(archives: string, options: readonly string[]): Promise<void> {
  const simulate = [...options, '--simulate', '--no-install-recommends', 'install', PACKAGE];
  const plan = await apt(simulate, archives);
  // `Inst name [installed] (new)` would be an upgrade; what is installed serves, and a second libc would not.
  const missing = [...plan.matchAll(/^Inst (\S+) \(/gm)].map(([, name]) => name!);
  await apt([...options, 'download', ...new Set([PACKAGE, ...missing])], archives);
}

async function apt(args: readonly string[], cwd: string): Promise<string> {
  const unattended = ['-q', '-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Retries=1'];
  const env = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
  try {
    const options = { cwd, env, timeout: APT_TIMEOUT_MS, maxBuffer: 2 ** 24 };
    return (await run('apt-get', [...unattended, ...args], options)).stdout;
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    const lines = stderr.split('\n').filter((line) => line.startsWith('E: '));
    throw new Error(lines.join(' ') || message, { cause: error });
  }
}

async function unpack(archives: string, root: string): Promise<void> {
  for (const file of await readdir(archives))
    if (file.endsWith('.deb')) await run('dpkg-deb', ['-x', join(archives, file), root]);
}

/** The program behaves as the server when it is called so. */
async function locate(root: string): Promise<UnpackedServer> {
  const binary = join(root, dirname(PROGRAM), 'redis-server');
  if (existsSync(join(root, PROGRAM)) && !existsSync(binary))
    await symlink('redis-check-rdb', binary);
  const folders: string[] = [];
  for (const lib of [join(root, 'usr/lib'), join(root, 'lib')])
    if (existsSync(lib))
      for (const name of await readdir(lib))
        if (name.includes('-linux-')) folders.push(join(lib, name));
  return { binary, libraryPath: folders.join(':') };
}

function problem({ binary, libraryPath }: UnpackedServer): Promise<string | undefined> {
  return problemOf(binary, { ...process.env, LD_LIBRARY_PATH: libraryPath });
}
