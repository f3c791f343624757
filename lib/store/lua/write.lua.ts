import { defineScript } from '../../redis/script.js';
import { ANNOUNCE, HEAD, IS_LIVE, NOW, STORE, TAINT, WAITERS } from './record.lua.js';

/** `only` is compared after the id: sent twice, a write that has stored would else find itself in the way. */
export const write = defineScript({
  name: 'write',
  args: ['newId', 'body', 'softMs', 'ttlMs', 'only', 'reject', 'wakePrefix', 'channel', 'message'],
  replies: ['refused', 'stored'],
  lua: `${ANNOUNCE}${HEAD}${WAITERS}${NOW}${STORE}${IS_LIVE}${TAINT}
local kind, id = head()
if kind == 'B' then
  taint()
  return REFUSED
end
if kind == 'V' and id == newId then return STORED end
local live = id ~= reject and isLive(kind)
if only ~= '' and live ~= (only == 'present') then return REFUSED end
local waiting = waiters(kind)
store()
wake(waiting)
return STORED
`,
});
