import { defineScript } from '../../redis/script.js';
import { ANNOUNCE, HEAD, IS_LIKE, IS_LIVE, NOW, WAITERS } from './record.lua.js';

/**
 * Counts are exact: a sum of two numbers below 2^53 is, or else is seen to be too large. A text of more than 16 digits is no
 * count of ours.
 */
export const increment = defineScript({
  name: 'increment',
  once: true,
  args: ['newId', 'by', 'ttlMs', 'fresh', 'facts', 'id', 'count', 'reject'],
  shared: ['wakePrefix', 'channel', 'message'],
  replies: ['counted', 'unlike', 'overflow', 'barrier'],
  helpers: `${ANNOUNCE}${HEAD}${WAITERS}${NOW}${IS_LIVE}${IS_LIKE}`,
  lua: `
local MOST = 9007199254740991

local function countedAt(facts)
  local sign, digits = string.match(redis.call('GETRANGE', key, 29 + #facts, -5), '^(-?)(%d+)$')
  if not digits or #digits > 16 or tonumber(digits) > MOST then return nil end
  return tonumber(sign .. digits)
end

local kind, found = head()
if kind == 'B' then return BARRIER end
local before, was, softAt, ttl = fresh, 0, string.rep('\\0', 8), -2
if found ~= reject and isLive(kind) then
  if isLike(facts) then
    before, was = facts, countedAt(facts)
  elseif isLike(fresh) then
    was = countedAt(fresh)
  else
    before, was = facts, found == id and tonumber(count) or nil
  end
  if not was then return UNLIKE end
  softAt, ttl = redis.call('GETRANGE', key, '24', '31'), redis.call('PTTL', key)
end
local sum = was + by
if math.abs(sum) > MOST then return OVERFLOW end
if ttl < 0 and tonumber(ttlMs) > 0 then softAt = struct.pack('>d', now() + ttlMs) end

local text = string.format('%.0f', sum)
local value = 'V' .. newId .. string.sub(before, 1, 3) .. softAt .. string.sub(before, 4) .. text .. string.rep('\\0', 4)
local waiting = waiters(kind)
if ttl >= 0 then
  redis.call('SET', key, value, 'KEEPTTL')
elseif tonumber(ttlMs) > 0 then
  redis.call('SET', key, value, 'PX', ttlMs + struct.unpack('>I4', string.sub(before, 4, 7)))
else
  redis.call('SET', key, value)
end
wake(waiting)
return { COUNTED, text }
`,
});
