import { defineScript } from '../../redis/script.js';
import { RECORD } from './lock-record.lua.js';

export const lockInspect = defineScript({
  name: 'lockInspect',
  args: [],
  replies: ['free', 'held'],
  lua: `${RECORD}
return isHeld and HELD or FREE
`,
});
