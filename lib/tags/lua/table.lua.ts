/**
 * What the scripts on a table share. They write its head too, a second key of the same slot, where `headKey` names one: not in a
 * cluster, whose slots move key by key. `c` is the clock, `b` the base, `*` the last clear, `t:…` the tags; without both `c`
 * and `b` the table counts as lost.
 *
 * Memory is checked only before the first write of a script, and only if that write may need some. So the first is
 * always to take `c` and `b` out: a full Redis lets everything after it pass, and if the script ends before they are back,
 * the table is lost and what it guards invalid.
 */
export const TABLE = `
local function exact(version)
  return string.format('%.0f', version)
end

-- Above every version ever issued here, and so above those of entries that were loaded before.
local function nextVersion()
  local time = redis.call('TIME')
  local highest = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2] or 0
  return math.max(highest + 1, time[1] * 1000000 + time[2])
end

-- Clock and base, nil where they are missing. A key that is no table is removed.
local function open()
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'zset' and kind ~= 'none' then redis.call('UNLINK', key) end
  return tonumber(redis.call('ZSCORE', key, 'c')), tonumber(redis.call('ZSCORE', key, 'b'))
end

local function writeHead(clock, base)
  if headKey == '' then return end
  local floor = math.max(base, redis.call('ZSCORE', key, '*') or 0)
  redis.call('SET', headKey, exact(clock) .. ' ' .. exact(floor))
end

local function close()
  redis.call('ZREM', key, 'c', 'b')
  if headKey ~= '' then redis.call('UNLINK', headKey) end
end

local function reopen(clock, base)
  redis.call('ZADD', key, exact(clock), 'c', exact(base), 'b')
  writeHead(clock, base)
end
`;
