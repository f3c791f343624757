import { KEEP_MS, MAX_WAITERS } from '../lock-store.js';

/**
 * The record, a hash, as locals, and what changes it. Times are µs of the server's clock; `waiting` is `,id` for each
 * waiter, the first in front.
 */
export const RECORD = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local fields = redis.call('HMGET', key, 'token', 'holder', 'ends', 'waiting')
local token, holder = tonumber(fields[1]) or 0, fields[2] or ''
local ends, waiting = tonumber(fields[3]) or 0, fields[4] or ''
local isHeld = holder ~= '' and ends > now

local function first()
  return string.sub(waiting, 2, 21)
end

local function isWaiting(id)
  return string.find(waiting, ',' .. id, 1, true) ~= nil
end

local function join(id)
  if #waiting < 21 * ${MAX_WAITERS} then waiting = waiting .. ',' .. id end
end

local function leave(pattern)
  waiting = string.gsub(waiting, ',' .. pattern, '')
end

-- Memory is only checked before the first write of a script: a lock works where Redis is full, above all its release.
local function save()
  redis.call('HDEL', key, 'waiting')
  redis.call('HSET', key, 'token', string.format('%.0f', token), 'holder', holder,
    'ends', string.format('%.0f', ends), 'waiting', waiting)
  redis.call('PEXPIRE', key, math.ceil(math.max(ends - now, 0) / 1000) + ${KEEP_MS})
end
`;
