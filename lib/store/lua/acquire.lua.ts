import { defineScript } from '../../redis/script.js';
import { HEAD } from './record.lua.js';

/**
 * Most often there is nothing, and one command does. Where that gives nothing it reads before it writes: on a hit it works although
 * Redis is full or read-only.
 */
export const acquire = defineScript({
  name: 'acquire',
  args: ['token', 'leaseMs', 'reject'],
  shared: ['instance'],
  replies: ['granted', 'value', 'held', 'barrier'],
  helpers: HEAD,
  lua: `
local set = redis.pcall('SET', key, 'L' .. token, 'PX', leaseMs, 'NX')
if set and set.ok then return GRANTED end
local kind, id = head()
if kind == 'V' and id ~= reject then
  return { VALUE, redis.call('GET', key) }
end
if kind == 'B' then
  return { BARRIER, redis.call('PTTL', key) }
end
if kind == 'L' then
  if id == token then return GRANTED end
  if not string.find(redis.call('GETRANGE', key, '21', '-1'), ',' .. instance, 1, true) then
    redis.call('APPEND', key, ',' .. instance)
  end
  return { HELD, redis.call('PTTL', key), id }
end
redis.call('SET', key, 'L' .. token, 'PX', leaseMs)
return GRANTED
`,
});
