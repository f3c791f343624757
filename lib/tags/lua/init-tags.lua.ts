import { defineScript } from '../../redis/script.js';
import { TABLE } from './table.lua.js';

/** The clock of a table, begun anew if it was lost. */
export const initTags = defineScript({
  name: 'initTags',
  args: [],
  replies: ['ready'],
  lua: `${TABLE}
local clock, base = open()
if not clock or not base then
  clock = nextVersion()
  close()
  reopen(clock, clock)
end
return { READY, exact(clock) }
`,
});
