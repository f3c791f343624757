import { defineScript } from '../../redis/script.js';

/**
 * Publishes on the channel that the key names. PUBLISH by itself has no key: in a cluster it may be sent to any node, and two
 * messages over two nodes overtake each other.
 */
export const publish = defineScript({
  name: 'publish',
  args: ['message'],
  replies: ['published'],
  lua: `
redis.call('PUBLISH', key, message)
return PUBLISHED
`,
});
