import { createHash, randomBytes } from 'node:crypto';
import { access, copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cwd, execPath, version } from 'node:process';
import { run, unpack, type PackedPackage } from './packed.js';

/** Names and exact versions. */
export type Packages = Readonly<Record<string, string>>;

/** The files beside this one that are compiled and run as applications. */
export type Program = 'app' | 'testing' | 'migration' | 'integrations';

/** How applications are compiled. */
export const COMPILERS = {
  /** Both module systems, and what is run. */
  nodenext: { module: 'NodeNext', include: ['src/*.mts', 'src/*.cts'], outDir: 'out' },
  /** In which TypeScript knows no `require` of an ES module. */
  node16: { module: 'Node16', include: ['src/*.mts'] },
  /** With every declaration checked, those of the package among them. */
  bundler: {
    module: 'ESNext',
    moduleResolution: 'Bundler',
    skipLibCheck: false,
    include: ['src/*.mts'],
  },
  /** The oldest: as Nest 11 has been started with. It knows no `exports`, and goes by `typesVersions`. */
  node10: { module: 'CommonJS', moduleResolution: 'Node10', include: ['src/*.ts'] },
} as const;

/** A folder in which npm has installed the package beside certain versions of its peers. */
export class Consumer {
  private constructor(private readonly folder: string) {}

  /**
   * Installed once for each list of packages, and kept in `.cache/consumers`; the package itself is put in anew. Throws where
   * a peer does not fit, or the registry does not answer. One run of the suite at a time.
   */
  static async install(packed: PackedPackage, packages: Packages): Promise<Consumer> {
    const [major] = version.split('.');
    const wanted = JSON.stringify([packages, packed.requirements, major]);
    const id = createHash('sha256').update(wanted).digest('hex').slice(0, 12);
    const consumer = new Consumer(join(cwd(), '.cache/consumers', id));
    if (!(await exists(consumer.folder))) await consumer.fetch(packed, packages);
    await unpack(packed.archive, join(consumer.folder, 'node_modules', packed.name));
    return consumer;
  }

  /**
   * One run of the compiler, which reads what they have in common once. Rejects with what it has said of the programs, or of
   * the declarations of the package.
   */
  async compile(
    programs: readonly Program[],
    compilers: readonly (keyof typeof COMPILERS)[],
  ): Promise<void> {
    await this.copySources(programs);
    const configs = await Promise.all(compilers.map((compiler) => this.configure(compiler)));
    const args = ['node_modules/typescript/bin/tsc', '--build', '--force', '--verbose'];
    await run(execPath, [...args, ...configs], { cwd: this.folder });
  }

  /**
   * One process for all of them, since most of the time goes into loading what they share. Resolves once it has ended by itself,
   * and with success.
   */
  async run(programs: readonly string[], environment: NodeJS.ProcessEnv): Promise<void> {
    const env = { ...process.env, ...environment };
    const [last, ...others] = programs.map((program) => `./out/${program}`);
    const loaded = others.flatMap((program) => ['--import', program]);
    await run(execPath, [...loaded, last!], { cwd: this.folder, env });
  }

  private async fetch(packed: PackedPackage, packages: Packages): Promise<void> {
    const unfinished = `${this.folder}.${randomBytes(6).toString('hex')}`;
    await mkdir(unfinished, { recursive: true });
    const dependencies = { ...packages, [packed.name]: `file:${packed.archive}` };
    // TypeORM wants ioredis only for a cache of its own, and takes version 6 for an error.
    const overrides = { typeorm: { ioredis: '$ioredis' } };
    const manifest = JSON.stringify({ name: 'consumer', private: true, dependencies, overrides });
    await writeFile(join(unfinished, 'package.json'), manifest);
    const args = ['install', '--strict-peer-deps', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts']; // prettier-ignore
    const install = (...how: string[]) => run('npm', [...args, ...how], { cwd: unfinished });
    try {
      // What has been installed a moment ago need not be asked for again; what npm has never heard of, it finds by asking.
      await install('--prefer-offline').catch(() => install());
      await rename(unfinished, this.folder);
    } catch (cause) {
      await rm(unfinished, { recursive: true, force: true });
      const list = Object.entries(packages).map((entry) => entry.join('@'));
      throw new Error(
        `npm could not install ${packed.name} beside ${list.join(' ')}. Either the registry (npm config get registry) cannot be reached, which is needed once, or a version does not fit a peer dependency:\n${(cause as Error).message}`,
        { cause },
      );
    }
  }

  /** As ES modules, as CommonJS, and as what the nearest `package.json` says. */
  private async copySources(programs: readonly Program[]): Promise<void> {
    const src = join(this.folder, 'src');
    for (const old of [src, join(this.folder, 'out')])
      await rm(old, { recursive: true, force: true });
    await mkdir(src);
    for (const program of programs)
      for (const ending of ['mts', 'cts', 'ts'])
        await copyFile(
          join(cwd(), 'test/package/consumers', `${program}.ts`),
          join(src, `${program}.${ending}`),
        );
  }

  /** The name of the file. */
  private async configure(compiler: keyof typeof COMPILERS): Promise<string> {
    const { include, ...options } = { outDir: undefined, ...COMPILERS[compiler] };
    const compilerOptions = {
      target: 'ES2022',
      lib: ['ES2023', 'ESNext.Disposable'],
      types: ['node'],
      strict: true,
      esModuleInterop: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      skipLibCheck: true,
      rootDir: 'src',
      noEmit: options.outDir === undefined,
      ...options,
    };
    const config = `tsconfig.${compiler}.json`;
    const content = JSON.stringify({ compilerOptions, include });
    await writeFile(join(this.folder, config), content);
    return config;
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
