import type { Redis } from 'ioredis';

/** What servers have done since they were started, and what they have at this moment; of several, all together. */
export interface ServerStats {
  /** Of all threads. */
  readonly cpuUs: number;
  readonly usedBytes: number;
  readonly clients: number;
  readonly connectionsSoFar: number;
  /** How often each has run, within scripts too; `cluster|slots` is one. */
  readonly calls: ReadonlyMap<string, number>;
}

export async function statsOf(servers: readonly Redis[]): Promise<ServerStats> {
  const infos = await Promise.all(servers.map((server) => server.info('everything')));
  const sum = (name: string): number =>
    infos.reduce((total, info) => total + numberIn(info, name), 0);
  const calls = new Map<string, number>();
  for (const info of infos)
    for (const [, name, count] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm))
      calls.set(name!, (calls.get(name!) ?? 0) + Number(count));
  return {
    cpuUs: (sum('used_cpu_user') + sum('used_cpu_sys')) * 1e6,
    usedBytes: sum('used_memory'),
    clients: sum('connected_clients'),
    connectionsSoFar: sum('total_connections_received'),
    calls,
  };
}

/** In µs. Asks less than {@link statsOf}. */
export async function cpuOf(servers: readonly Redis[]): Promise<number> {
  const infos = await Promise.all(servers.map((server) => server.info('cpu')));
  return infos.reduce(
    (sum, info) => sum + (numberIn(info, 'used_cpu_user') + numberIn(info, 'used_cpu_sys')) * 1e6,
    0,
  );
}

/** What is asked for by looking is left out. */
export function callsBetween(before: ServerStats, after: ServerStats): Map<string, number> {
  const between = [...after.calls].map(([name, count]): [string, number] => [
    name,
    count - (before.calls.get(name) ?? 0),
  ]);
  return new Map(between.filter(([name, count]) => count > 0 && name !== 'info'));
}

const numberIn = (info: string, name: string): number =>
  Number(new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1]);
