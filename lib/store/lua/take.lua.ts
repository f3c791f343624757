import { defineScript } from '../../redis/script.js';
import { ANNOUNCE, HEAD, IS_LIKE, IS_LIVE, NOW, TAINT, WAITERS } from './record.lua.js';

/** Sent twice, it would find nothing the second time, and nobody would have the value. */
export const take = defineScript({
  name: 'take',
  once: true,
  args: ['facts', 'reject'],
  shared: ['wakePrefix', 'channel', 'message'],
  replies: ['absent', 'unlike', 'taken'],
  helpers: `${ANNOUNCE}${HEAD}${WAITERS}${NOW}${IS_LIVE}${IS_LIKE}${TAINT}`,
  lua: `
local kind, id = head()
if kind == 'B' then
  taint()
elseif kind == 'L' then
  local waiting = waiters(kind)
  redis.call('UNLINK', key)
  wake(waiting)
end
if id == reject then return ABSENT end
if not isLive(kind) then
  -- A value in grace, which whoever refreshes it must not find again.
  if kind == 'V' then redis.call('UNLINK', key) end
  return ABSENT
end
if not isLike(facts) then return UNLIKE end
local value = redis.call('GET', key)
redis.call('UNLINK', key)
return { TAKEN, value }
`,
});
