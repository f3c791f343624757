import { defineScript } from '../../redis/script.js';
import { RECORD } from './lock-record.lua.js';

/** A hold that has expired stays so, even if nobody has taken it: its holder has been told by now. */
export const lockExtend = defineScript({
  name: 'lockExtend',
  args: ['id', 'ttlMs', 'raiseTo'],
  replies: ['lost', 'extended'],
  lua: `${RECORD}
if not isHeld or holder ~= id then return LOST end
token, ends = math.max(token, raiseTo), math.max(ends, now + ttlMs * 1000)
save()
return EXTENDED
`,
});
