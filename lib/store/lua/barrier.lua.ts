import { defineScript } from '../../redis/script.js';
import { ANNOUNCE, BARRIER, HEAD, NOW, STORE, TAINT, WAITERS } from './record.lua.js';

/** A second writer taints the barrier, since nobody knows in which order the two commit; sent twice, it does not. */
export const barrierBegin = defineScript({
  name: 'barrierBegin',
  args: ['writer', 'barrierMs'],
  shared: ['wakePrefix', 'channel', 'message'],
  replies: ['begun'],
  helpers: `${ANNOUNCE}${HEAD}${WAITERS}${TAINT}${BARRIER}`,
  lua: `
local kind = head()
if kind == 'B' then
  if not holds(writer) then
    taint()
    redis.call('APPEND', key, ',' .. writer)
  end
  redis.call('PEXPIRE', key, math.max(redis.call('PTTL', key), barrierMs))
  return BEGUN
end
local waiting = waiters(kind)
redis.call('SET', key, 'B' .. string.rep('.', 20) .. '0,' .. writer, 'PX', barrierMs)
wake(waiting)
return BEGUN
`,
});

export const barrierRenew = defineScript({
  name: 'barrierRenew',
  args: ['writer', 'barrierMs'],
  replies: ['lost', 'renewed'],
  helpers: `${HEAD}${BARRIER}`,
  lua: `
if head() ~= 'B' or not holds(writer) then return LOST end
redis.call('PEXPIRE', key, math.max(redis.call('PTTL', key), barrierMs))
return RENEWED
`,
});

/**
 * Stores the value only if its writer was alone all the time. A barrier of others means that ours has expired under us:
 * what they are about to store may be older than what we have committed, so theirs is tainted. Deletes before it
 * stores, so that a full Redis refuses nothing half way.
 */
export const barrierEnd = defineScript({
  name: 'barrierEnd',
  args: ['writer', 'record', 'softMs', 'ttlMs'],
  shared: ['wakePrefix', 'channel', 'message'],
  replies: ['lost', 'ended', 'stored'],
  helpers: `${ANNOUNCE}${HEAD}${WAITERS}${NOW}${STORE}${TAINT}${BARRIER}`,
  lua: `
local kind, id = head()
if kind == 'V' and id == newId() then return STORED end
if kind ~= 'B' then
  local waiting = waiters(kind)
  redis.call('UNLINK', key)
  wake(waiting)
  return LOST
end
if not holds(writer) then
  taint()
  return LOST
end
local alone = redis.call('STRLEN', key) == 22 + 1 + #writer
if not alone then
  leave(writer)
  return ENDED
end
local tainted = redis.call('GETRANGE', key, '21', '21') == '1'
redis.call('UNLINK', key)
if tainted or record == '' then return ENDED end
store()
return STORED
`,
});
