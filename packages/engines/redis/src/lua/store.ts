/*
 * Channels and what comes into them. All scripts are one: the parts below share their locals, and the last one calls the
 * operation that ARGV[1] names with the arguments that ARGV[2] packs. Redis runs it as one step.
 */

/** Names of keys, settings of channels, storing of records, and what is due later. */
export const store = String.raw`
local P = KEYS[1]
local call, pack, unpackm = redis.call, cmsgpack.pack, cmsgpack.unpack
local fmt, rep, huge = string.format, string.rep, math.huge
local ops = {}

local clock
local function now()
  if not clock then
    local t = call('TIME')
    clock = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
  end
  return clock
end

-- Who is told at the end of the script: a channel, and the group or '' for all of them.
local wakes = {}
local function wake(c, g)
  local w = wakes[c]
  if w == nil then wakes[c] = g elseif w ~= g then wakes[c] = '' end
end

local channels = {}
local function channel(c)
  local ch = channels[c]
  if ch == nil then
    local spec = call('HGET', P .. 'channels', c)
    if spec then
      local s = unpackm(spec)
      ch = { name = c, kind = s[1], keyed = s[2], forMs = s[3], bytesMax = s[4], levels = s[5], dedupe = s[6] }
      ch.keeps = ch.forMs or ch.bytesMax
    else
      ch = false
    end
    channels[c] = ch
  end
  return ch
end

local function groupsOf(ch)
  if not ch.groups then
    local all, groups = call('HGETALL', P .. 'groups:' .. ch.name), {}
    for i = 1, #all, 2 do groups[all[i]] = all[i + 1] end
    ch.groups = groups
  end
  return ch.groups
end

local function streamOf(ch, level)
  if level == 0 then return P .. 'stream:' .. ch.name end
  return P .. 'stream:' .. ch.name .. ':' .. level
end

-- The last id that a stream has given, so that what follows it is what comes next.
local function lastId(stream)
  if call('EXISTS', stream) == 0 then return '0-0' end
  local all = call('XINFO', 'STREAM', stream)
  for i = 1, #all, 2 do if all[i] == 'last-generated-id' then return all[i + 1] end end
  return '0-0'
end

-- Something happens at a time: whoever waits for a later one is told.
local function remind(what, atMs)
  local first = call('ZRANGE', P .. 'agenda', 0, 0, 'WITHSCORES')
  call('ZADD', P .. 'agenda', 'LT', atMs, what)
  if not first[2] or atMs < tonumber(first[2]) then call('PUBLISH', P .. 'due', math.max(0, atMs - now())) end
end

-- Channels with a bound on what they keep that have grown.
local grown = {}

-- A record: { channel, level, group or false, dueAtMs, fields }; its fields begin with its id and end with its body.
local function append(ch, level, group, fields)
  if ch.kind == 'log' and not ch.keeps and next(groupsOf(ch)) == nil then return end
  if level >= ch.levels then level = ch.levels - 1 end
  call('XADD', streamOf(ch, level), '*', unpack(fields))
  if ch.bytesMax then call('HINCRBY', P .. 'meta:' .. ch.name, 'bytes', #fields[#fields]) end
  if group then call('HINCRBY', P .. 'meta:' .. ch.name, 'addressed', 1) end
  if ch.keeps then grown[ch.name] = ch end
  wake(ch.name, group or '')
end

local function schedule(ch, rec)
  local c, group, fields = ch.name, rec[3], rec[5]
  local place = fmt('%016d', call('INCR', P .. 'counter'))
  call('ZADD', P .. 'due:' .. c, rec[4], place)
  call('HSET', P .. 'scheduled:' .. c, place, pack({ rec[2], group, now(), fields }))
  call('HSET', P .. 'scheduled-ids:' .. c, fields[2], (call('HGET', P .. 'scheduled-ids:' .. c, fields[2]) or '') .. place)
  call('HINCRBY', P .. 'scheduled-for:' .. c, group or '', 1)
  remind('c\n' .. c, rec[4])
end

-- Takes a record out of what is scheduled. @return what schedule packed, or false
local function unschedule(c, place)
  local packed = call('HGET', P .. 'scheduled:' .. c, place)
  call('ZREM', P .. 'due:' .. c, place)
  if not packed then return false end
  call('HDEL', P .. 'scheduled:' .. c, place)
  local s = unpackm(packed)
  local places, left = call('HGET', P .. 'scheduled-ids:' .. c, s[4][2]) or '', ''
  for i = 1, #places, 16 do
    local other = places:sub(i, i + 15)
    if other ~= place then left = left .. other end
  end
  if left == '' then call('HDEL', P .. 'scheduled-ids:' .. c, s[4][2])
  else call('HSET', P .. 'scheduled-ids:' .. c, s[4][2], left) end
  if call('HINCRBY', P .. 'scheduled-for:' .. c, s[2] or '', -1) <= 0 then
    call('HDEL', P .. 'scheduled-for:' .. c, s[2] or '')
  end
  return s
end

-- What was scheduled and is due at a time joins its channel. At most 500 at a time.
local function joinDue(c, atMs)
  local ch = channel(c)
  for _, place in ipairs(call('ZRANGEBYSCORE', P .. 'due:' .. c, '-inf', atMs, 'LIMIT', 0, 500)) do
    local s = unschedule(c, place)
    -- The group that it was addressed to may have gone while it waited for its time.
    if s and ch and (not s[2] or groupsOf(ch)[s[2]]) then
      local fields = s[4]
      table.insert(fields, 3, 'posthaste-stored')
      table.insert(fields, 4, tostring(s[3]))
      append(ch, s[1], s[2], fields)
    end
  end
end

-- Why a record cannot be stored; nil when it can. Changes nothing.
local function refusal(rec)
  local ch = channel(rec[1])
  if not ch then return 'the channel is not declared' end
  if rec[3] and not groupsOf(ch)[rec[3]] then return 'the group ' .. rec[3] .. ' is not declared' end
end

local function refusalOfAll(records)
  for _, rec in ipairs(records) do
    local why = refusal(rec)
    if why then return 'record ' .. rec[5][2] .. ' for ' .. rec[1] .. ': ' .. why end
  end
end

-- Stores a record that nothing speaks against.
local function storeOne(rec)
  local ch = channel(rec[1])
  -- What is addressed to one group is a redrive: it repeats on purpose.
  if ch.dedupe and not rec[3] then
    -- The server keeps a key through the millisecond in which it expires; the window is over by then.
    local lasts = math.max(1, ch.dedupe - 1)
    if not call('SET', P .. 'id:' .. ch.name .. ':' .. rec[5][2], '1', 'NX', 'PX', lasts) then return end
  end
  if rec[4] > now() then schedule(ch, rec) return end
  -- A server that stood still finds it before whoever moves what is due: what was due before goes before.
  if rec[4] > 0 then joinDue(ch.name, rec[4]) end
  append(ch, rec[2], rec[3], rec[5])
end

function ops.publish(records)
  local out, failed = {}, false
  for i, rec in ipairs(records) do
    local why = refusal(rec)
    if why then failed = true else storeOne(rec) end
    out[i] = why or 0
  end
  return failed and out or 0
end

function ops.cancel(c, id)
  if not channel(c) then return false end
  local places = call('HGET', P .. 'scheduled-ids:' .. c, id)
  if not places then return 0 end
  for i = 1, #places, 16 do unschedule(c, places:sub(i, i + 15)) end
  return 1
end

function ops.dueAt(c, id)
  if not channel(c) then return false end
  local places = call('HGET', P .. 'scheduled-ids:' .. c, id) or ''
  local first = -1
  for i = 1, #places, 16 do
    local at = tonumber(call('ZSCORE', P .. 'due:' .. c, places:sub(i, i + 15)))
    if at and (first < 0 or at < first) then first = at end
  end
  return first
end
`
