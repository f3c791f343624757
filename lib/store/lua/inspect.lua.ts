import { defineScript } from '../../redis/script.js';

/** Bytes and remaining life in one step; what holds no string counts as absent. */
export const inspect = defineScript({
  name: 'inspect',
  args: [],
  replies: ['absent', 'found'],
  lua: `
if redis.call('TYPE', key).ok ~= 'string' then return ABSENT end
return { FOUND, redis.call('GET', key), redis.call('PTTL', key) }
`,
});
