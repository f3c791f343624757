import { systemClock } from '../../../lib/common/clock.js';
import { MemoryEntryStore } from '../../../lib/store/memory-entry-store.js';
import { INSTANCE, type StoreBackend } from './store-backend.js';

/** The store's own map, which it shows to nobody. */
interface Inside {
  entries: Map<string, { bytes: Buffer; expiresAt: number }>;
}

export async function memoryBackend(): Promise<StoreBackend> {
  const wakes: string[] = [];
  const store = new MemoryEntryStore({
    clock: systemClock,
    instance: INSTANCE,
    onWake: (instance, key) => wakes.push(`${instance} ${key}`),
  });
  const { entries } = store as unknown as Inside;
  return {
    store,
    instance: INSTANCE,
    peek: async (key) => {
      const stored = entries.get(key);
      return stored && stored.expiresAt > systemClock.monotonic()
        ? Buffer.from(stored.bytes)
        : null;
    },
    put: async (key, bytes) => {
      if (bytes) entries.set(key, { bytes: Buffer.from(bytes), expiresAt: Infinity });
      else entries.delete(key);
    },
    wakes: async () => [...wakes],
    now: async () => systemClock.now(),
    close: async () => store.close(),
  };
}
