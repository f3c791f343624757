import { defineScript } from '../../redis/script.js';

/** Not INCRBY, whose numbers go beyond those that are exact here, and which forgets to say that it is given no end. */
export const rawIncrement = defineScript({
  name: 'rawIncrement',
  once: true,
  args: ['by', 'ttlMs'],
  replies: ['counted', 'other', 'overflow'],
  lua: `
local MOST = 9007199254740991
local kind = redis.call('TYPE', key).ok
if kind ~= 'string' and kind ~= 'none' then return OTHER end
local text = redis.call('GET', key) or '0'
if not (text == '0' or string.find(text, '^-?[1-9]%d*$')) or #text > 20 then return OTHER end
local was = tonumber(text)
local sum = was + by
if math.abs(was) > MOST or math.abs(sum) > MOST then return OVERFLOW end
local new = string.format('%.0f', sum)
if tonumber(ttlMs) > 0 and redis.call('PTTL', key) < 0 then
  redis.call('SET', key, new, 'PX', ttlMs)
else
  redis.call('SET', key, new, 'KEEPTTL')
end
return { COUNTED, new }
`,
});
