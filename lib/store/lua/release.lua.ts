import { defineScript } from '../../redis/script.js';
import { HEAD, WAITERS } from './record.lua.js';

/** Deletes before it sets the hold, so that a full Redis does not refuse it. */
export const release = defineScript({
  name: 'release',
  args: ['token', 'holdId', 'holdMs'],
  shared: ['wakePrefix'],
  replies: ['lost', 'released'],
  helpers: `${HEAD}${WAITERS}`,
  lua: `
local kind, id = head()
if kind ~= 'L' or id ~= token then return LOST end
local waiting = waiters(kind)
redis.call('UNLINK', key)
if tonumber(holdMs) > 0 then
  redis.call('SET', key, 'L' .. holdId, 'PX', holdMs)
end
wake(waiting)
return RELEASED
`,
});
