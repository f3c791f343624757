import { defineScript } from '../../redis/script.js';
import { TABLE } from './table.lua.js';

/** The clock of a table, begun anew if it was lost; its head is written again. */
export const initTags = defineScript({
  name: 'initTags',
  args: ['headKey'],
  replies: ['ready'],
  lua: `${TABLE}
local clock, base = open()
if not clock or not base then
  clock = nextVersion()
  close()
  reopen(clock, clock)
elseif headKey ~= '' then
  redis.call('UNLINK', headKey)
  writeHead(clock, base)
end
return { READY, exact(clock) }
`,
});
