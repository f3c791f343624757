import { defineScript } from '../../redis/script.js';
import { ANNOUNCE, HEAD, NOW, STORE, WAITERS } from './record.lua.js';

export const fill = defineScript({
  name: 'fill',
  args: ['expectId', 'record', 'softMs', 'ttlMs'],
  shared: ['wakePrefix', 'channel', 'message'],
  replies: ['refused', 'stored'],
  helpers: `${ANNOUNCE}${HEAD}${WAITERS}${NOW}${STORE}`,
  lua: `
local kind, id = head('L' .. expectId)
if kind == 'V' and id == newId() then return STORED end
if id ~= expectId or (kind ~= 'L' and kind ~= 'V') then return REFUSED end
local waiting = waiters(kind)
store()
wake(waiting)
return STORED
`,
});
