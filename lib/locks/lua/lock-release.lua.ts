import { defineScript } from '../../redis/script.js';
import { RECORD } from './lock-record.lua.js';

/** Wakes the next also when a waiter leaves a lock that is free: it may have been the one that was woken. */
export const lockRelease = defineScript({
  name: 'lockRelease',
  args: ['id', 'wakePrefix'],
  replies: ['lost', 'released'],
  lua: `${RECORD}
local ours = isHeld and (id == '' or holder == id)
if not ours and (id == '' or not isWaiting(id)) then return LOST end
if ours then
  holder, ends, isHeld = '', now, false
else
  leave(id)
end
save()
-- A message that may not be sent must not abort a script that has already written.
if not isHeld and waiting ~= '' then
  redis.pcall('PUBLISH', wakePrefix .. string.sub(first(), 1, 10), key .. ' ' .. first())
end
return ours and RELEASED or LOST
`,
});
