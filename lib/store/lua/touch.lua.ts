import { defineScript } from '../../redis/script.js';
import { ANNOUNCE, HEAD, IS_LIKE, IS_LIVE, NOW } from './record.lua.js';

/** The expiry first: it needs no memory, and what a full Redis refuses is refused by the first write only. */
export const touch = defineScript({
  name: 'touch',
  args: ['facts', 'softMs'],
  shared: ['channel', 'message'],
  replies: ['absent', 'unlike', 'touched'],
  helpers: `${ANNOUNCE}${HEAD}${NOW}${IS_LIVE}${IS_LIKE}`,
  lua: `
if not isLive(head()) then return ABSENT end
if not isLike(facts) then return UNLIKE end
local softAt = 0
if tonumber(softMs) == 0 then
  redis.call('PERSIST', key)
else
  softAt = now() + softMs
  redis.call('PEXPIRE', key, softMs + struct.unpack('>I4', string.sub(facts, 4, 7)))
end
redis.call('SETRANGE', key, 24, struct.pack('>d', softAt))
return TOUCHED
`,
});
