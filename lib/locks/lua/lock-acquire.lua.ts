import { defineScript } from '../../redis/script.js';
import { RECORD } from './lock-record.lua.js';

export const lockAcquire = defineScript({
  name: 'lockAcquire',
  args: ['id', 'ttlMs', 'ifHeld', 'claimMs'],
  replies: ['granted', 'held'],
  lua: `${RECORD}
local function granted()
  ends = math.max(ends, now + ttlMs * 1000)
  save()
  return { GRANTED, string.format('%.0f', token) }
end

if isHeld and holder == id then return granted() end

local head = first()
local freeAt = isHeld and ends or ends + claimMs * 1000
if isHeld or (head ~= '' and head ~= id and freeAt > now) then
  if ifHeld == 'queue' and not isWaiting(id) then
    join(id)
    save()
  end
  return { HELD, math.ceil((freeAt - now) / 1000) }
end

leave(id)
-- The first was woken and has not come. An instance that asks now is alive, whatever keeps its first waiter.
local passed = string.sub(head, 1, 10)
if passed ~= '' and passed ~= string.sub(id, 1, 10) then leave(passed .. string.rep('%w', 10)) end
token, holder, ends = math.max(token + 1, now), id, 0
return granted()
`,
});
