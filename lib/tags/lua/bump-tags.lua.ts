import { defineScript } from '../../redis/script.js';
import { TABLE } from './table.lua.js';

/**
 * A new version for `members`, a JSON array. Then the oldest members are forgotten, `forgetMore` more than were given at
 * most, and the base takes their place.
 *
 * Where nothing can be added the table stays lost, and need not say more: all that was loaded before is invalid.
 */
export const bumpTags = defineScript({
  name: 'bumpTags',
  args: ['headKey', 'members', 'keepMicros', 'maxTags', 'forgetMore'],
  replies: ['bumped'],
  lua: `${TABLE}
local names = cjson.decode(members)
local clock, base = open()
local version = nextVersion()
if not clock or not base then base = version end
close()

local scored = {}
for i, name in ipairs(names) do
  scored[2 * i - 1], scored[2 * i] = exact(version), name
end
local added = redis.pcall('ZADD', key, unpack(scored))
if type(added) == 'table' then return { BUMPED, exact(version) } end

local aged = redis.call('ZCOUNT', key, '-inf', exact(version - keepMicros))
local excess = redis.call('ZCARD', key) - maxTags
local forgotten = math.min(math.max(aged, excess), #names + forgetMore)
if forgotten > 0 then
  local last = redis.call('ZRANGE', key, forgotten - 1, forgotten - 1, 'WITHSCORES')
  base = math.max(base, tonumber(last[2]))
  redis.call('ZREMRANGEBYRANK', key, 0, forgotten - 1)
end
reopen(version, base)
return { BUMPED, exact(version) }
`,
});
