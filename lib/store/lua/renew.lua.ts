import { defineScript } from '../../redis/script.js';
import { HEAD } from './record.lua.js';

export const renew = defineScript({
  name: 'renew',
  args: ['token', 'leaseMs'],
  replies: ['lost', 'renewed'],
  helpers: HEAD,
  lua: `
local kind, id = head()
if kind ~= 'L' or id ~= token then return LOST end
redis.call('PEXPIRE', key, leaseMs)
return RENEWED
`,
});
