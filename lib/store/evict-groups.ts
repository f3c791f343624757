/** Keys in one message about evicts. */
const TOLD_AT_ONCE = 100;

/** Keys of the same connection, at most as many as one message tells of. */
export function groupsOf(
  keys: readonly string[],
  connectionOf: (key: string) => unknown,
): string[][] {
  const groups: string[][] = [];
  const open = new Map<unknown, string[]>();
  for (const key of keys) {
    const connection = connectionOf(key);
    let group = open.get(connection);
    if (!group || group.length === TOLD_AT_ONCE) {
      group = [];
      groups.push(group);
      open.set(connection, group);
    }
    group.push(key);
  }
  return groups;
}
