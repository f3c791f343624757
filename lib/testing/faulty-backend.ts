import type { LockStore } from '../locks/lock-store.js';
import type { Backend, BackendParts } from '../module/backend.js';
import { createMemoryBackend } from '../module/memory-backend.js';
import type { ResolvedCacheOptions } from '../module/resolved-options.js';
import type { EntryStore } from '../store/entry-store.js';
import type { RawStore } from '../store/raw-store.js';
import type { TagTable } from '../tags/tag-table.js';
import type { FaultKind, Faults } from './faults.js';

/** Of each operation of a port: what kind it is; those that are left out are not touched. */
type Kinds<Port, Untouched extends keyof Port = never> = Readonly<
  Record<Exclude<keyof Port, Untouched>, FaultKind>
>;

/** What is not one promise. */
type Special = 'isRemote' | 'readsOf' | 'scan' | 'evictMany';

const ENTRIES: Kinds<EntryStore, Special> = {
  read: 'reads',
  readMany: 'reads',
  inspect: 'reads',
  acquire: 'writes',
  fill: 'writes',
  renew: 'writes',
  release: 'writes',
  evict: 'evicts',
  write: 'writes',
  increment: 'writes',
  touch: 'writes',
  take: 'writes',
  barrierBegin: 'writes',
  barrierRenew: 'writes',
  barrierEnd: 'writes',
};
const STRINGS: Kinds<RawStore> = {
  get: 'reads',
  ttl: 'reads',
  set: 'writes',
  increment: 'writes',
  evict: 'evicts',
};
const TAGS: Kinds<TagTable, 'tableOf'> = {
  clock: 'reads',
  versions: 'reads',
  glance: 'reads',
  bump: 'evicts',
  clear: 'evicts',
};
const LOCKS: Kinds<LockStore> = {
  acquire: 'locks',
  extend: 'locks',
  release: 'locks',
  isHeld: 'locks',
};

/** The memory topology, with whatever `faults` say happening to it. */
export function createFaultyBackend(
  { timeouts: limits }: ResolvedCacheOptions,
  parts: BackendParts,
  faults: Faults,
): Backend {
  const sink = parts.sinks(0);
  const memory = createMemoryBackend({ ...parts, sinks: () => sink });
  faults.watch((down) => (down ? sink.shut() : sink.open()));

  const faulty = <Port extends object>(port: Port, kinds: Readonly<Record<string, FaultKind>>) =>
    withFaults(port, (name) => {
      const kind = kinds[name];
      return kind && ((run) => faults.around({ kind, operation: name, limits }, run));
    });
  const entries = faulty(memory.store, ENTRIES);
  const store: EntryStore = new Proxy(entries, {
    get: (target, name) => (name in special ? special[name as 'scan'] : Reflect.get(target, name)),
  });
  const special: Pick<EntryStore, Exclude<Special, 'isRemote'>> = {
    readsOf: (key) => ({
      ...memory.store.readsOf(key),
      readAll: (keys) =>
        faults.around({ kind: 'reads', operation: 'read', limits }, () =>
          memory.store.readMany(keys),
        ),
    }),
    async *scan(prefix, options) {
      await faults.around({ kind: 'reads', operation: 'scan', limits }, async () => undefined);
      yield* memory.store.scan(prefix, options);
    },
    evictMany: (keys) => Promise.allSettled(keys.map((key) => store.evict(key))),
  };

  return {
    ...memory,
    store,
    rawStore: faulty(memory.rawStore, STRINGS),
    tags: faulty(memory.tags, TAGS),
    lockStore: faulty(memory.lockStore, LOCKS),
    async nodes() {
      const [node] = await memory.nodes();
      const ask = { kind: 'reads', operation: 'ping', limits } as const;
      try {
        return [await faults.around(ask, async () => node!)];
      } catch (error) {
        const { pingMs: _pingMs, ...rest } = node!;
        return [{ ...rest, connected: false, circuit: 'open', error: error as Error }];
      }
    },
  };
}

type Around = (run: () => Promise<unknown>) => Promise<unknown>;

/** The port, with something around some of its methods. */
function withFaults<Port extends object>(
  port: Port,
  aroundOf: (method: string) => Around | undefined,
): Port {
  return new Proxy(port, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      const around = aroundOf(String(name));
      if (!around) return member.bind(target) as unknown;
      return (...args: unknown[]) =>
        around(async () => Reflect.apply(member, target, args) as unknown);
    },
  });
}
