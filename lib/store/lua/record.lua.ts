/**
 * Pieces that several scripts are made of; the layout they know is that of `record.ts`. Numbers that Redis is given are written as
 * text: to format one takes it as long as the command.
 */

/**
 * `kind, id` of what is at the key; both empty where it is absent, too short, no string, or begins like one of ours by
 * chance: a value must have an id of ours, a lease as well and then nothing or a comma, a barrier dots and then its taint.
 * `lease`: what is most likely there, a lease that nobody waits for, and needs no such look.
 */
export const HEAD = `
local bytes

local function head(lease)
  bytes = redis.pcall('GETRANGE', key, '0', '35')
  if bytes == lease then return 'L', string.sub(lease, 2) end
  if type(bytes) == 'table' then
    -- Anything but a wrong type is raised by asking again.
    if not string.find(bytes.err, 'WRONGTYPE', 1, true) then redis.call('GETRANGE', key, '0', '35') end
    return '', ''
  end
  if #bytes < 21 then return '', '' end
  local kind, id, after = string.sub(bytes, 1, 1), string.sub(bytes, 2, 21), string.sub(bytes, 22, 22)
  local ours = string.find(id, '^[%w!.]+$')
  if kind == 'V' and ours then return kind, id end
  if kind == 'L' and ours and (after == '' or after == ',') then return kind, id end
  if kind == 'B' and id == string.rep('.', 20) and (after == '0' or after == '1') then return kind, id end
  return '', ''
end
`;

/** Instances that wait for the lease to end; read them before it is gone, wake them after. Needs `wakePrefix`. */
export const WAITERS = `
local function waiters(kind)
  return kind == 'L' and #bytes > 21 and redis.call('GETRANGE', key, '21', '-1') or ''
end

-- A message that may not be sent must not abort a script that has already written: nothing is rolled back.
local function wake(instances)
  if instances == '' then return end
  for instance in string.gmatch(instances, '[^,]+') do
    redis.pcall('PUBLISH', wakePrefix .. instance, key)
  end
end
`;

/**
 * Tells other processes, first of all, of all keys of the command, and whatever comes of the steps: a script is one moment to
 * everybody else, a Redis that refuses to write still publishes, and a number that is never heard looks like a lost message.
 */
export const ANNOUNCE = `
if message ~= '' then redis.pcall('PUBLISH', channel, message) end
`;

/** Of the command: it has one moment only. */
export const NOW = `
local moment

local function now()
  if not moment then
    local time = redis.call('TIME')
    moment = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return moment
end
`;

/**
 * Puts the value there, whatever was; `softAt` afterwards, since a text that is put together in a script is copied each time, and a
 * large one would hold up the server. Needs `record`, whose `softAt` is 0, `softMs`, `ttlMs`. To pack a `softAt` takes as long as
 * to write it, and keys of one command often live equally long.
 */
export const STORE = `
local function newId()
  return string.sub(record, 2, 21)
end

local packedFor, packed

local function softAt()
  if softMs ~= packedFor then packedFor, packed = softMs, struct.pack('>d', now() + softMs) end
  return packed
end

local function store()
  if ttlMs ~= '0' then
    redis.call('SET', key, record, 'PX', ttlMs)
  else
    redis.call('SET', key, record)
  end
  if softMs ~= '0' then redis.call('SETRANGE', key, '24', softAt()) end
end
`;

/** A value that is only kept for its grace is not live. Of what HEAD has just seen. */
export const IS_LIVE = `
local function isLive(kind)
  if kind ~= 'V' or #bytes < 36 then return false end
  local softAt, graceMs = struct.unpack('>dI4', bytes, 25)
  return graceMs == 0 or softAt == 0 or softAt > now()
end
`;

/**
 * Puts other bytes in place of a barrier, for the rest of its life. Deletes first, because memory is only checked before
 * the first write of a script: a full Redis would refuse a SETRANGE, and an evict must work there.
 */
const REWRITE = `
local function rewrite(barrier)
  local ttl = redis.call('PTTL', key)
  redis.call('UNLINK', key)
  if ttl < 0 then
    redis.call('SET', key, barrier)
  else
    redis.call('SET', key, barrier, 'PX', math.max(ttl, 1))
  end
end
`;

/** Sets the taint byte of a barrier. */
export const TAINT = `${REWRITE}
local function taint()
  local barrier = redis.call('GET', key)
  rewrite(string.sub(barrier, 1, 21) .. '1' .. string.sub(barrier, 23))
end
`;

/** Writers of a barrier: `,writer` for each, behind the taint byte. Ids never repeat and have no comma. Needs TAINT. */
export const BARRIER = `
local function holds(writer)
  return string.find(redis.call('GETRANGE', key, '22', '-1'), ',' .. writer, 1, true) ~= nil
end

local function leave(writer)
  local barrier = redis.call('GET', key)
  local from, to = string.find(barrier, ',' .. writer, 23, true)
  rewrite(string.sub(barrier, 1, from - 1) .. string.sub(barrier, to + 1))
end
`;

/** Compares the facts of a value, see `factsOf` in record.ts. */
export const IS_LIKE = `
local function isLike(facts)
  return facts ~= '' and redis.call('GETRANGE', key, '21', '23') == string.sub(facts, 1, 3)
    and redis.call('GETRANGE', key, 32, 28 + #facts) == string.sub(facts, 4)
end
`;
