/**
 * One group's view of its channel: which records it has taken from the stream and not settled, and in which order those
 * of a key may be handed over. A record is named by `ref`, its id in the stream and its level of priority, and ordered by
 * `rank`, which compares as text: the highest level first, then by id.
 *
 * Keys of a group, all under `group:<channel>:<group>:`:
 * `cur` how far it has read (hash, by level) · `u` what it has not settled (zset by time) · `r` attempts of what is not in
 * flight (hash) · `d` what waits for its time (zset) · `m` members (set) · `m:<member>` what a member has in flight (hash)
 * · `k` who has a key in flight, and how often (hash) · `w:<key>` records of a key that may be handed over (zset) ·
 * `h:<key>` records that hold their key (zset) · `t` whose turn it is: the first record of each key, and those without one
 * (zset) · `t:<member>` the same for keys that a member has in flight · `l` where a key stands in the turns (hash)
 */
export const lanes = `
local rankBytes = 27

-- Redis keeps small hashes and sorted sets as lists, in which 500 look-ups take 500 times as long as one. One long name
-- makes a table of them; it stands in those that batches go through.
local long = rep('.', 80)

local function asTable(hash) call('HSET', hash, long, '') end

-- What every group has from its beginning on.
local function lay(G)
  asTable(G.B .. 'k')
  asTable(G.B .. 'r')
  call('ZADD', G.B .. 'u', 'inf', long)
end

local function rankOf(ref)
  local ms, seq, level = ref:match('^(%d+)%-(%d+)%.?(%d*)$')
  return (9 - (tonumber(level) or 0)) .. rep('0', 15 - #ms) .. ms .. '-' .. rep('0', 10 - #seq) .. seq
end

local function refOf(rank)
  local level, ms, seq = rank:match('^(%d)0*(%d+)%-0*(%d+)$')
  level = 9 - tonumber(level)
  return ms .. '-' .. seq .. (level > 0 and '.' .. level or '')
end

local function placeOf(ch, ref)
  local id, level = ref:match('^([^.]+)%.?(%d*)$')
  return streamOf(ch, tonumber(level) or 0), id
end

local groupCache = {}
local function group(c, g)
  local ch = channel(c)
  if not ch or not groupsOf(ch)[g] then return nil end
  local name = c .. ':' .. g
  local G = groupCache[name]
  if not G then
    G = { ch = ch, name = g, B = P .. 'group:' .. name .. ':', lanes = {}, dirty = {}, keyed = ch.keyed and ch.levels == 1 }
    groupCache[name] = G
  end
  return G
end

-- What is known of a record: attempts that have ended, how many of them with their member, whether it is addressed, its key.
local function info(a, v, addressed, key)
  if a == 0 and v == 0 and not addressed then return key and '0,0,,' .. key or '' end
  return a .. ',' .. v .. ',' .. (addressed and 'g' or '') .. ',' .. (key or '')
end

local function parse(s)
  if not s or s == '' then return 0, 0, false, nil end
  if s:sub(1, 5) == '0,0,,' then return 0, 0, false, s:sub(6) end
  local a, v, addressed, key = s:match('^(%d+),(%d+),(g?),(.*)$')
  return tonumber(a), tonumber(v), addressed == 'g', key ~= '' and key or nil
end

-- A key: how often its owner has it in flight, and whether records or holds of it stand in w and h.
local function laneFrom(G, key, packed)
  local L = { key = key, count = 0, laned = false }
  if packed then
    local laned, count, owner = packed:match('^(L?)(%d+),(.*)$')
    L.laned, L.count = laned == 'L', tonumber(count)
    if L.count > 0 then L.owner = owner end
  end
  G.lanes[key] = L
  return L
end

local function lane(G, key)
  return G.lanes[key] or laneFrom(G, key, call('HGET', G.B .. 'k', key))
end

local function loadLanes(G, keys)
  if #keys == 0 then return end
  local packed = call('HMGET', G.B .. 'k', unpack(keys))
  for i, key in ipairs(keys) do if not G.lanes[key] then laneFrom(G, key, packed[i]) end end
end

local function turnsOf(G, owner) return G.B .. 't' .. (owner and ':' .. owner or '') end

-- Puts a key where it belongs among the turns: at its first record, unless an earlier one holds it back.
local function takeTurn(G, L, self)
  local B, key = G.B, L.key
  local first = call('ZRANGE', B .. 'w:' .. key, 0, 0)[1]
  local hold = call('ZRANGE', B .. 'h:' .. key, 0, 0)[1]
  L.laned = first ~= nil or hold ~= nil
  local wanted = first and not (hold and hold < first) and first .. '|' .. (L.owner or '') or false
  local found = call('HGET', B .. 'l', key)
  if wanted == found then return end
  if found then
    local rank, owner = found:match('^([^|]*)|(.*)$')
    call('ZREM', turnsOf(G, owner ~= '' and owner), rank .. key)
  end
  if not wanted then call('HDEL', B .. 'l', key) return end
  call('ZADD', turnsOf(G, L.owner), 0, first .. key)
  call('HSET', B .. 'l', key, wanted)
  if not self or L.owner ~= self then wake(G.ch.name, G.name) end
end

local function changed(G, L)
  if L.dirty then return end
  L.dirty = true
  G.dirty[#G.dirty + 1] = L
end

-- Lua passes on a few thousand arguments at most, and a member may have had more in hand.
local function callInParts(command, key, list)
  for i = 1, #list, 4000 do call(command, key, unpack(list, i, math.min(i + 3999, #list))) end
end

-- Writes what has changed about keys. @param self the member that looks at its turns itself
local function saveLanes(G, self)
  local set, gone = {}, {}
  for _, L in ipairs(G.dirty) do
    L.dirty = false
    if L.count == 0 then L.owner = nil end
    if L.laned then takeTurn(G, L, self) end
    if L.count == 0 and not L.laned then
      gone[#gone + 1] = L.key
    else
      set[#set + 1] = L.key
      set[#set + 1] = (L.laned and 'L' or '') .. L.count .. ',' .. (L.owner or '')
    end
  end
  G.dirty = {}
  callInParts('HSET', G.B .. 'k', set)
  callInParts('HDEL', G.B .. 'k', gone)
end

-- A record of the group may be handed over. What is known of it stands in r, unless there is nothing.
local function enter(G, ref, key)
  if key then
    call('ZADD', G.B .. 'w:' .. key, 0, rankOf(ref))
    local L = lane(G, key)
    L.laned = true
    changed(G, L)
  else
    call('ZADD', G.B .. 't', 0, rankOf(ref))
    wake(G.ch.name, G.name)
  end
end

-- Takes records out of their channel; what one group alone was to see, and all of a queue, once it is settled.
local function erase(ch, refs)
  local byStream = {}
  for _, ref in ipairs(refs) do
    local stream, id = placeOf(ch, ref)
    local ids = byStream[stream]
    if not ids then ids = {} byStream[stream] = ids end
    ids[#ids + 1] = id
    if ch.bytesMax then
      local e = call('XRANGE', stream, id, id)[1]
      if e then call('HINCRBY', P .. 'meta:' .. ch.name, 'bytes', -#e[2][#e[2]]) end
    end
  end
  for stream, ids in pairs(byStream) do call('XDEL', stream, unpack(ids)) end
end

local function idParts(id)
  local ms, seq = id:match('^(%d+)%-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

-- Drops, from the oldest on, what no group needs and retention does not keep.
local function trim(ch)
  if ch.kind == 'queue' then return end
  local needed = huge
  for g in pairs(groupsOf(ch)) do
    local first = call('ZRANGE', P .. 'group:' .. ch.name .. ':' .. g .. ':u', 0, 0, 'WITHSCORES')[2]
    if first and tonumber(first) < needed then needed = tonumber(first) end
  end
  for level = 0, ch.levels - 1 do
    local stream, ms, seq = streamOf(ch, level), needed, 0
    for g in pairs(groupsOf(ch)) do
      local cms, cseq = idParts(call('HGET', P .. 'group:' .. ch.name .. ':' .. g .. ':cur', level) or '0-0')
      if cms < ms or (cms == ms and cseq + 1 < seq) then ms, seq = cms, cseq + 1 end
    end
    if ch.bytesMax then
      local bytes = tonumber(call('HGET', P .. 'meta:' .. ch.name, 'bytes') or '0')
      local oldest = ch.forMs and now() - ch.forMs or -1
      local gone, freed = {}, 0
      for _, e in ipairs(call('XRANGE', stream, '-', '+', 'COUNT', 1000)) do
        local ems, eseq = idParts(e[1])
        if ems > ms or (ems == ms and eseq >= seq) then break end
        if ems > oldest and bytes - freed <= ch.bytesMax then break end
        gone[#gone + 1] = e[1]
        freed = freed + #e[2][#e[2]]
      end
      if #gone > 0 then
        call('XDEL', stream, unpack(gone))
        call('HINCRBY', P .. 'meta:' .. ch.name, 'bytes', -freed)
      end
    else
      if ch.forMs and now() - ch.forMs + 1 < ms then ms, seq = math.max(0, now() - ch.forMs + 1), 0 end
      if ms == huge then call('XTRIM', stream, 'MAXLEN', 0)
      else call('XTRIM', stream, 'MINID', fmt('%d-%d', ms, seq)) end
    end
  end
end
`
