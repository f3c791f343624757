import { systemClock } from '../../../lib/common/clock.js';
import type { ExpiringTable } from '../../../lib/store/expiring-table.js';
import { MemoryEntryStore } from '../../../lib/store/memory-entry-store.js';
import { INSTANCE, type StoreBackend } from './store-backend.js';

/** The store's own table, which it shows to nobody. */
interface Inside {
  table: ExpiringTable;
}

export async function memoryBackend(): Promise<StoreBackend> {
  const wakes: string[] = [];
  const store = new MemoryEntryStore({
    clock: systemClock,
    instance: INSTANCE,
    onWake: (instance, key) => wakes.push(`${instance} ${key}`),
  });
  const { table } = store as unknown as Inside;
  return {
    store,
    instance: INSTANCE,
    peek: async (key) => {
      const bytes = table.get(key);
      return bytes ? Buffer.from(bytes) : null;
    },
    put: async (key, bytes) => {
      if (bytes) table.put(key, Buffer.from(bytes), 0);
      else table.delete(key);
    },
    wakes: async () => [...wakes],
    now: async () => systemClock.now(),
    close: async () => store.close(),
  };
}
