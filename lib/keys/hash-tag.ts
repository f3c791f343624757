/**
 * The part of a Redis key that decides where the key lives, by the rule of Redis Cluster: what stands between the first
 * `{` and the first `}` behind it, if anything does; else the whole key.
 */
export function routedPartOf(redisKey: string): string {
  const open = redisKey.indexOf('{');
  const close = open < 0 ? -1 : redisKey.indexOf('}', open + 1);
  return close > open + 1 ? redisKey.slice(open + 1, close) : redisKey;
}
