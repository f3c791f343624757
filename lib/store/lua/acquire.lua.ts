import { defineScript } from '../../redis/script.js';
import { HEAD } from './record.lua.js';

/** Reads before it writes: on a hit it works where Redis is full or read-only. */
export const acquire = defineScript({
  name: 'acquire',
  args: ['token', 'leaseMs', 'reject'],
  shared: ['instance'],
  replies: ['granted', 'value', 'held', 'barrier'],
  helpers: HEAD,
  lua: `
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
