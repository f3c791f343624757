import { wakeOf } from '../locks/lock-store.js';
import { MemoryLockStore } from '../locks/memory-lock-store.js';
import { MemoryEntryStore } from '../store/memory-entry-store.js';
import { MemoryRawStore } from '../store/memory-raw-store.js';
import { MemoryTagTable } from '../tags/memory-tag-table.js';
import type { Backend, BackendParts } from './backend.js';

/** Nobody else has access to these entries: the copies are always current. */
export function createMemoryBackend({ clock, ids, wakeups, sinks }: BackendParts): Backend {
  const store = new MemoryEntryStore({
    clock,
    instance: ids.instance,
    onWake: (_, key) => wakeups.wake(key),
  });
  const rawStore = new MemoryRawStore({ clock });
  sinks(0).open();
  return {
    store,
    rawStore,
    lockStore: new MemoryLockStore({ clock, onWake: (id, key) => wakeups.wake(wakeOf(key, id)) }),
    tags: new MemoryTagTable({ clock }),
    layout: { id: 0, trusts: (id) => id === 0 },
    shardIndexOf: () => 0,
    buses: [],
    announce: async () => undefined,
    nodes: async () => [
      { name: 'memory', connected: true, circuit: 'closed', pingMs: 0, inFlight: 0, waiting: 0 },
    ],
    connect: async () => undefined,
    close: async () => {
      store.close();
      rawStore.close();
    },
  };
}
