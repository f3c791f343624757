import { createHash, randomBytes } from 'node:crypto';
import { access, copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cwd, execPath, version } from 'node:process';
import { run, type PackedPackage } from './packed.js';

/** Names and exact versions. */
export type Packages = Readonly<Record<string, string>>;

const SOURCES = ['app', 'testing'];

/** How applications are compiled: each is one run of the compiler. */
export const COMPILERS = {
  /** Both module systems, and what is run. */
  nodenext: { module: 'NodeNext', files: ['*.mts', '*.cts'], outDir: 'out' },
  /** In which TypeScript knows no `require` of an ES module. */
  node16: { module: 'Node16', files: ['*.mts'] },
  bundler: { module: 'ESNext', moduleResolution: 'Bundler', files: ['*.mts'] },
  /** The oldest: as Nest 11 has been started with. It knows no `exports`, so the package's root is all there is. */
  node10: { module: 'CommonJS', moduleResolution: 'Node10', files: ['app.ts'] },
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
    await packed.unpackInto(join(consumer.folder, 'node_modules', packed.name));
    await consumer.copySources();
    return consumer;
  }

  /** Rejects with what the compiler has said of the application, or of the declarations of the package. */
  async compile(compiler: keyof typeof COMPILERS): Promise<void> {
    const { files, ...options } = { outDir: undefined, ...COMPILERS[compiler] };
    const compilerOptions = {
      target: 'ES2022',
      lib: ['ES2023', 'ESNext.Disposable'],
      types: ['node'],
      strict: true,
      esModuleInterop: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      skipLibCheck: true,
      noEmit: options.outDir === undefined,
      ...options,
    };
    const config = `tsconfig.${compiler}.json`;
    await this.write(config, { compilerOptions, include: files });
    await run(execPath, ['node_modules/typescript/bin/tsc', '-p', config], { cwd: this.folder });
  }

  /** Resolves once the program has ended by itself, and with success. */
  async run(program: string, environment: NodeJS.ProcessEnv): Promise<void> {
    const env = { ...process.env, ...environment };
    await run(execPath, [join('out', program)], { cwd: this.folder, env });
  }

  private async fetch(packed: PackedPackage, packages: Packages): Promise<void> {
    const unfinished = `${this.folder}.${randomBytes(6).toString('hex')}`;
    await mkdir(unfinished, { recursive: true });
    const dependencies = { ...packages, [packed.name]: `file:${packed.archive}` };
    const manifest = JSON.stringify({ name: 'consumer', private: true, dependencies });
    await writeFile(join(unfinished, 'package.json'), manifest);
    const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts'];
    try {
      await run('npm', ['install', '--strict-peer-deps', ...quiet], { cwd: unfinished });
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
  private async copySources(): Promise<void> {
    await rm(join(this.folder, 'out'), { recursive: true, force: true });
    for (const source of SOURCES)
      for (const ending of ['mts', 'cts', 'ts'])
        await copyFile(
          join(cwd(), 'test/package/consumers', `${source}.ts`),
          join(this.folder, `${source}.${ending}`),
        );
  }

  private async write(file: string, content: object): Promise<void> {
    await writeFile(join(this.folder, file), JSON.stringify(content));
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
