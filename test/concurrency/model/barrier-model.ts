import {
  addEvictors,
  addSymmetries,
  ELSEWHERE,
  entryModel,
  type EntryModel,
} from './entry-model.js';
import { ReadHooks } from './read-hooks.js';
import { Tiers } from './tier-model.js';
import type { Weakening } from './weakenings.js';
import type { RecordOf, World } from './world.js';

const WRITER = {
  phase: [
    'idle',
    'beginning',
    'begun',
    'writing',
    'written',
    'failed',
    'ending',
    'replacing',
    'ended',
    'gone',
  ],
  /** What it has committed, 0: nothing. */
  version: 2,
  /** It is a writer of the barrier that is at the key. */
  holds: 'flag',
  /** Its barrier expired before it had committed, which a transaction must not let happen. */
  outlived: 'flag',
  /** It gives END the value. */
  gives: 'flag',
  /** It writes without knowing that its barrier stands. */
  unanswered: 'flag',
  /** A command that it does not wait for any more is still on its way. */
  late: ['nothing', 'BEGIN', 'END'],
} as const;

type Writer = RecordOf<typeof WRITER>;

const hasCommitted = ({ phase }: Writer): boolean =>
  !['idle', 'beginning', 'begun', 'writing'].includes(phase);

/**
 * A writer inside a barrier: BEGIN, transaction, END. What it has committed is promised from the commit on, not only from
 * END's return, unless its barrier had expired before: so one that crashes in between has promised too.
 */
function addWriter(
  { world, entry, truth, hooks }: EntryModel,
  writer: Writer,
  { name, process }: { name: string; process: number },
): void {
  const at = world.phases(writer);
  const promise = (): void => {
    if (writer.version > truth.promised) truth.promised = writer.version;
  };
  const step = (label: string, from: Writer['phase'], to: Writer['phase'], run = (): void => {}) =>
    world.rule(`${name} ${label}`, at(from), () => {
      run();
      writer.phase = to;
    });
  const dropLocally = (): void => hooks.evicting(process);

  world.perhaps(`${name} BEGIN sent`, at('idle'), () => {
    dropLocally();
    writer.phase = 'beginning';
  });
  step('BEGIN executes', 'beginning', 'begun', () => {
    entry.barrierBegin(writer);
    hooks.evicted(process);
  });
  step('BEGIN replies', 'begun', 'writing', dropLocally);
  world.rule(`${name} commits`, at('writing'), () => {
    writer.phase = 'written';
    writer.version = ++truth.committed;
    if (!writer.outlived) promise();
    return `v${writer.version}`;
  });
  world.perhaps(`${name} rolls back`, at('writing'), () => {
    writer.phase = 'failed';
  });
  world.perhaps(`${name} is told that its commit failed`, at('written'), () => {
    writer.phase = 'failed';
  });
  step('END sent with its value', 'written', 'ending', () => {
    dropLocally();
    writer.gives = !writer.unanswered || world.weak('givesanyway');
  });
  step('END sent without a value', 'failed', 'ending', dropLocally);
  world.rule(`${name} END executes`, at('ending'), () => {
    writer.phase = 'ended';
    hooks.evicted(process);
    return entry.barrierEnd(writer);
  });
  step('returns', 'ended', 'gone', () => {
    dropLocally();
    promise();
    hooks.evictReturned(process, writer.version);
    forget(writer);
  });
  const runs = (): boolean => ['writing', 'written', 'failed'].includes(writer.phase);
  world.perhaps(`${name} crashes`, runs, () => {
    writer.phase = 'gone';
    forget(writer);
  });
}

/** What makes no difference any more once a writer has gone. */
function forget(writer: Writer): void {
  writer.outlived = false;
  writer.unanswered = false;
  if (writer.late === 'END') return;
  writer.version = 0;
  writer.gives = false;
}

/** Deadlines that pass while a command is under way: the writer goes on, and the command is carried out later or never. */
function addTimeouts(
  { world, entry, hooks }: EntryModel,
  writer: Writer,
  { name, process }: { name: string; process: number },
): void {
  const at = world.phases(writer);
  const isLate = (command: Writer['late']) => (): boolean => writer.late === command;
  world.perhaps(`${name} waits no longer for BEGIN`, at('beginning'), () => {
    writer.phase = 'writing';
    writer.late = 'BEGIN';
    writer.outlived = true;
    writer.unanswered = true;
  });
  world.perhaps(`${name} late BEGIN executes`, isLate('BEGIN'), () => {
    writer.late = 'nothing';
    entry.barrierBegin(writer);
    hooks.evicted(process);
  });
  world.perhaps(`${name} waits no longer for END, EVICT sent`, at('ending'), () => {
    writer.phase = 'replacing';
    writer.late = 'END';
  });
  world.rule(`${name} EVICT executes`, at('replacing'), () => {
    writer.phase = 'ended';
    entry.evict();
    hooks.evicted(process);
  });
  world.perhaps(`${name} late END executes`, isLate('END'), () => {
    const result = entry.barrierEnd(writer);
    hooks.evicted(process);
    writer.late = 'nothing';
    if (writer.phase === 'gone') forget(writer);
    return result;
  });
}

function addExpiry({ world, entry }: EntryModel, writers: readonly Writer[]): void {
  const expire = (): void => {
    for (const writer of writers) if (writer.holds && !hasCommitted(writer)) writer.outlived = true;
    entry.expire();
  };
  const isThere = (): boolean => entry.now.type === 'barrier';
  const isKept = (): boolean => writers.some(({ holds, phase }) => holds && phase !== 'gone');
  world.perhaps('the barrier expires under its writer', () => isThere() && isKept(), expire);
  world.rule('the barrier of crashed writers expires', () => isThere() && !isKept(), expire);
}

/** Commits after everybody else has, and stores the value whatever is there. */
function addSetter({ world, entry, truth }: EntryModel, writers: readonly Writer[]): void {
  const setter = world.record({ phase: ['idle', 'committed', 'written', 'done'] });
  const at = world.phases(setter);
  const isLast = (): boolean => setter.phase === 'idle' && writers.every(hasCommitted);
  world.perhaps('setter commits', isLast, () => {
    setter.phase = 'committed';
    return `v${++truth.committed}`;
  });
  world.rule('setter WRITE executes', at('committed'), () => {
    setter.phase = 'written';
    return entry.write(truth.committed) ? 'stored' : 'refused';
  });
  world.rule('setter WRITE replies', at('written'), () => {
    setter.phase = 'done';
    truth.promised = truth.committed;
  });
}

export interface BarrierCrowd {
  readers: readonly number[];
  /** The process of each that writes inside a barrier. */
  writers: readonly number[];
  /** The process of each that writes without one, and evicts. */
  evictors?: readonly number[];
  /** One more writes without a barrier, after all others, and sets the value. Not together with evictors. */
  setter?: true;
  /** Each process has an in-process tier. */
  tiers?: true;
  /** Writers may give up waiting for BEGIN and for END. */
  timeouts?: true;
}

export function barrierModel(weak: readonly Weakening[], crowd: BarrierCrowd): World {
  const { readers, evictors = [] } = crowd;
  let tiers: Tiers | undefined;
  const model = entryModel(weak, crowd, (world) =>
    crowd.tiers ? (tiers = new Tiers(world, readers.length)) : new ReadHooks(),
  );
  const { world, entry, truth } = model;
  const writers = world.records('barrier', crowd.writers.length, WRITER);
  entry.barrierOf(writers);
  writers.forEach((writer, i) => {
    const who = { name: `writer${i + 1}`, process: crowd.writers[i]! };
    addWriter(model, writer, who);
    if (crowd.timeouts) addTimeouts(model, writer, who);
  });
  addExpiry(model, writers);
  addEvictors(model, evictors);
  if (crowd.setter) addSetter(model, writers);
  const [first, second] = crowd.writers;
  if (first === second) world.alike({ barrier: [1, 0] });
  const areElsewhere = [...crowd.writers, ...evictors].every((process) => process === ELSEWHERE);
  addSymmetries(model, areElsewhere ? [] : [0]);
  world.atRest(() => tiers?.checkRest(truth.promised));
  return world;
}
