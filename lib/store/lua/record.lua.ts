/** Pieces that several scripts are made of; the layout they know is that of `record.ts`. */

/** `kind, id` of what is at the key; both empty where it is absent, too short, or no string. */
export const HEAD = `
local function head()
  local bytes = redis.pcall('GETRANGE', key, 0, 20)
  if type(bytes) == 'table' then
    -- Anything but a wrong type is raised by asking again.
    if not string.find(bytes.err, 'WRONGTYPE', 1, true) then redis.call('GETRANGE', key, 0, 20) end
    return '', ''
  end
  if #bytes < 21 then return '', '' end
  return string.sub(bytes, 1, 1), string.sub(bytes, 2)
end
`;

/** Instances that wait for the lease to end; read them before it is gone, wake them after. Needs `wakePrefix`. */
export const WAITERS = `
local function waiters(kind)
  return kind == 'L' and redis.call('GETRANGE', key, 21, -1) or ''
end

-- A message that may not be sent must not abort a script that has already written: nothing is rolled back.
local function wake(instances)
  for instance in string.gmatch(instances, '[^,]+') do
    redis.pcall('PUBLISH', wakePrefix .. instance, key)
  end
end
`;

export const NOW = `
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
`;

/** Puts the value there, whatever was. Needs `newId`, `body`, `softMs`, `ttlMs`. */
export const STORE = `
local function store()
  local softAt = tonumber(softMs) > 0 and now() + softMs or 0
  local value = 'V' .. newId .. string.sub(body, 1, 3) .. struct.pack('>d', softAt) .. string.sub(body, 12)
  if tonumber(ttlMs) > 0 then
    redis.call('SET', key, value, 'PX', ttlMs)
  else
    redis.call('SET', key, value)
  end
end
`;

/** A value that is only kept for its grace is not live. */
export const IS_LIVE = `
local function isLive(kind)
  local fixed = kind == 'V' and redis.call('GETRANGE', key, 24, 35) or ''
  if #fixed < 12 then return false end
  local softAt, graceMs = struct.unpack('>dI4', fixed)
  return graceMs == 0 or softAt == 0 or softAt > now()
end
`;

/**
 * Sets the taint byte of a barrier. Deletes first, because memory is only checked before the first write of a script:
 * a full Redis would refuse a SETRANGE, and an evict must work there.
 */
export const TAINT = `
local function taint()
  local barrier, ttl = redis.call('GET', key), redis.call('PTTL', key)
  redis.call('UNLINK', key)
  barrier = string.sub(barrier, 1, 21) .. '1' .. string.sub(barrier, 23)
  if ttl < 0 then
    redis.call('SET', key, barrier)
  else
    redis.call('SET', key, barrier, 'PX', math.max(ttl, 1))
  end
end
`;
