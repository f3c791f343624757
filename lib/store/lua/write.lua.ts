import { defineScript } from '../../redis/script.js';
import { ANNOUNCE, HEAD, IS_LIVE, NOW, STORE, TAINT, WAITERS } from './record.lua.js';

/** `only` is compared after the id: sent twice, a write that has stored would else find itself in the way. */
export const write = defineScript({
  name: 'write',
  args: ['record', 'softMs', 'ttlMs', 'only', 'reject'],
  shared: ['wakePrefix', 'channel', 'message'],
  replies: ['refused', 'stored'],
  helpers: `${ANNOUNCE}${HEAD}${WAITERS}${NOW}${STORE}${IS_LIVE}${TAINT}`,
  lua: `
local kind, id = head()
if kind == 'B' then
  taint()
  return REFUSED
end
if kind == 'V' and id == newId() then return STORED end
if only ~= '' and (id ~= reject and isLive(kind)) ~= (only == 'present') then return REFUSED end
local waiting = waiters(kind)
store()
wake(waiting)
return STORED
`,
});
