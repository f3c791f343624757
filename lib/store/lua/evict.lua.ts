import { defineScript } from '../../redis/script.js';
import { ANNOUNCE, HEAD, TAINT, WAITERS } from './record.lua.js';

/** Under a barrier there is no value any more; the writer who holds it must not store one either. */
export const evict = defineScript({
  name: 'evict',
  args: [],
  shared: ['wakePrefix', 'channel', 'message'],
  replies: ['absent', 'evicted'],
  helpers: `${ANNOUNCE}${HEAD}${WAITERS}${TAINT}`,
  lua: `
local kind = head()
if kind == 'B' then
  taint()
  return ABSENT
end
local waiting = waiters(kind)
redis.call('UNLINK', key)
wake(waiting)
return kind == 'V' and EVICTED or ABSENT
`,
});
