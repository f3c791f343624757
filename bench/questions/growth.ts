import type { Bench } from '../bench.js';
import { callers } from '../growth/callers.js';
import { keys } from '../growth/keys.js';
import { nodes } from '../growth/nodes.js';
import { processes } from '../growth/processes.js';
import { shards } from '../growth/shards.js';
import { tags } from '../growth/tags.js';
import { valueSize } from '../growth/value-size.js';
import type { Table } from '../table.js';

export const asks =
  'how does the cost grow with keys, value size, callers, processes, tags, shards and nodes?';

/** One file, one table and one plot each. */
const AXES = { keys, valueSize, callers, processes, tags, shards, nodes };

export async function answer(bench: Bench): Promise<readonly Table[]> {
  const tables: Table[] = [];
  for (const [axis, measure] of Object.entries(AXES)) {
    bench.tell(axis);
    tables.push(await measure(bench));
  }
  return tables;
}
