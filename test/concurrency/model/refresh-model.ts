import { addEvictors, addSymmetries, entryModel, type Crowd } from './entry-model.js';
import type { Weakening } from './weakenings.js';
import type { World } from './world.js';

/**
 * Values that grow old and are replaced while they are still there. A reader of an old one either waits for a refresh
 * ("GET replies") or takes it and leaves one running in the background ("GET replies, that will do"), at most one in a
 * process.
 */
export function refreshModel(weak: readonly Weakening[], crowd: Crowd): World {
  const background = crowd.readers.map(() => 1);
  const model = entryModel(weak, { readers: crowd.readers, background });
  const { world, entry, callers } = model;
  const { loads } = callers;
  const { now } = entry;
  const isFresh = (): boolean => now.type === 'value' && !now.soft;
  world.perhaps('the value grows old', isFresh, () => {
    now.soft = true;
  });
  callers.readers.forEach((reader, i) => {
    const process = callers.processOf[i]!;
    const behind = callers.readers.length + process;
    const isOld = (): boolean => reader.phase === 'read' && reader.soft;
    world.rule(`${callers.nameOf(i)} GET replies, that will do`, isOld, () => {
      const { copy, holds } = reader;
      callers.serve(i, copy, 'old hit');
      if (loads.joinable(process) >= 0 || loads.flights[behind]!.phase !== 'none') return;
      loads.lead(behind, { holds, refresh: true });
      return 'refresh begins in the background';
    });
  });
  addEvictors(model, crowd.writers);
  addSymmetries(model, crowd.writers);
  return world;
}
