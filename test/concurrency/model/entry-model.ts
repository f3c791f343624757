import { truthOf, type Truth } from './flights.js';
import { ReadHooks } from './read-hooks.js';
import { Readers } from './readers.js';
import { RedisEntry, versionOf } from './redis-entry.js';
import type { Weakening } from './weakenings.js';
import { World } from './world.js';

/** A process without readers, where writers are that have nothing to drop locally. */
export const ELSEWHERE = 2;

export interface Crowd {
  /** How many in each process, at most [2, 1]. */
  readers: readonly number[];
  /** The process of each writer. A writer commits one version and evicts the key. */
  writers: readonly number[];
  /** Readers may ask for the lease at once; default: they look first. */
  mayNotLook?: boolean;
}

/** What every model is made of. */
export interface EntryModel {
  world: World;
  entry: RedisEntry;
  truth: Truth;
  callers: Readers;
  hooks: ReadHooks;
}

/** Readers, and a key that may expire at any time; starts without a value and with one. */
export function entryModel(
  weak: readonly Weakening[],
  crowd: { readers: readonly number[]; background?: readonly number[]; mayNotLook?: boolean },
  hooksOf: (world: World) => ReadHooks = () => new ReadHooks(),
): EntryModel {
  const world = new World(new Set(weak));
  const entry = new RedisEntry(world);
  const truth = truthOf(world);
  const hooks = hooksOf(world);
  const { readers: perProcess, background = [], mayNotLook = false } = crowd;
  const several = { perProcess, background, mayNotLook };
  const callers = new Readers({ world, entry, truth, hooks }, several);
  const { now } = entry;
  world.start(() => void hooks.start());
  world.start(() => Object.assign(now, { type: 'value', copy: hooks.start() }));
  const mayExpire = (): boolean => now.type === 'value' || now.type === 'lease';
  world.perhaps('the key expires', mayExpire, () => entry.expire());
  world.atRest(() => {
    const version = versionOf(now.copy);
    if (now.type !== 'value' || version >= truth.promised || !hooks.isLive(now.copy)) return;
    const text = `Redis holds v${version} although v${truth.promised} was promised`;
    return { kind: 'stale entry at rest', text };
  });
  return { world, entry, truth, callers, hooks };
}

const WRITER = {
  phase: ['idle', 'committed', 'evicting', 'evicted', 'uncommitted', 'done'],
  version: 2,
} as const;

interface EvictCommand {
  command: string;
  run: () => void;
}

/** Writers that commit and then evict the key: the counterpart of `write/evictor.ts`. */
export function addEvictors(
  { world, entry, truth, callers, hooks }: EntryModel,
  processes: readonly number[],
  { command, run }: EvictCommand = { command: 'EVICT', run: () => entry.evict() },
): void {
  const tooEarly = world.weak('precommit');
  world.records('writer', processes.length, WRITER).forEach((writer, i) => {
    const process = processes[i]!;
    const name = `${'ABC'[process]}-${command === 'EVICT' ? 'evictor' : 'bumper'}${i + 1}`;
    const at = world.phases(writer);
    const commit = (): string => {
      writer.version = ++truth.committed;
      return `v${writer.version}`;
    };
    const end = (): void => {
      if (writer.version > truth.promised) truth.promised = writer.version;
      hooks.evictReturned(process, writer.version);
      writer.phase = 'done';
      writer.version = 0;
    };
    if (!tooEarly)
      world.perhaps(`${name} commits`, at('idle'), () => {
        writer.phase = 'committed';
        return commit();
      });
    world.rule(`${name} ${command} sent`, at(tooEarly ? 'idle' : 'committed'), () => {
      callers.loads.doom(process);
      hooks.evicting(process);
      writer.phase = 'evicting';
    });
    world.rule(`${name} ${command} executes`, at('evicting'), () => {
      run();
      hooks.evicted(process);
      writer.phase = 'evicted';
    });
    world.rule(`${name} ${command} replies`, at('evicted'), () => {
      if (!world.weak('singledel')) hooks.evicting(process);
      if (tooEarly) writer.phase = 'uncommitted';
      else end();
    });
    world.rule(`${name} commits`, at('uncommitted'), () => {
      commit();
      end();
    });
  });
}

/** Two callers of process A are alike, and so are processes with one reader and as many writers each. */
export function addSymmetries({ world, callers }: EntryModel, writers: readonly number[]): void {
  const { processOf, readers, loads } = callers;
  const pairwise = (records: readonly unknown[], pairs: number): number[] =>
    records.map((_, i) => (i < pairs * 2 ? i ^ 1 : i));
  const reader = pairwise(readers, 1);
  const inProcess = [0, 1].map((process) => readers.filter((_, i) => processOf[i] === process));
  if (inProcess[0]!.length === 2) world.alike({ reader, flight: pairwise(loads.flights, 1) });
  if (inProcess.some(({ length }) => length !== 1)) return;
  const processes = { reader, flight: pairwise(loads.flights, 2), process: [1, 0] };
  if (writers.every((process) => process === ELSEWHERE)) world.alike(processes);
  if (writers.length === 2 && writers.includes(0) && writers.includes(1))
    world.alike({ ...processes, writer: [1, 0] });
}

export function leaseModel(weak: readonly Weakening[], crowd: Crowd): World {
  const model = entryModel(weak, crowd);
  addEvictors(model, crowd.writers);
  addSymmetries(model, crowd.writers);
  return model.world;
}
