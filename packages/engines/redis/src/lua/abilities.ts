/** Looking in, moving, seeking, preparing, counting. */
export const abilities = `
-- A page of records behind a place, oldest first: { ms, seq, level } or false.
function ops.browse(c, after, limit, bytesMax)
  local ch = channel(c)
  if not ch then return false end
  local found, cut = {}, nil
  for level = 0, ch.levels - 1 do
    local from, isCut = '-', false
    if after then from = (level > after[2] and '' or '(') .. after[1] end
    local bytes, step, count = 0, math.min(limit, 10), 0
    while count < limit do
      local wanted = math.min(step, limit - count)
      local entries = call('XRANGE', streamOf(ch, level), from, '+', 'COUNT', wanted)
      for _, e in ipairs(entries) do
        local ref = level > 0 and e[1] .. '.' .. level or e[1]
        found[#found + 1] = { rankOf(e[1]):sub(2) .. level, { ref, 1, 0, e[2] } }
        bytes = bytes + #e[2][#e[2]]
        from = '(' .. e[1]
      end
      count = count + #entries
      if #entries < wanted then break end
      if count >= limit or bytes >= bytesMax then isCut = true break end
      step = math.max(1, math.min(500, math.floor(count * bytesMax / (4 * math.max(1, bytes)))))
    end
    -- What lies behind the end of a level that was cut off must not be passed over.
    if isCut and (not cut or found[#found][1] < cut) then cut = found[#found][1] end
  end
  local whole = cut == nil
  table.sort(found, function(a, b) return a[1] < b[1] end)
  local out = {}
  for _, e in ipairs(found) do
    if #out == limit or (cut and e[1] > cut) then whole = false break end
    out[#out + 1] = e[2]
  end
  return { whole and 1 or 0, out }
end

local function isInFlight(G, ref)
  for _, mid in ipairs(call('SMEMBERS', G.B .. 'm')) do
    if call('HEXISTS', G.B .. 'm:' .. mid, ref) == 1 then return true end
  end
  return false
end

-- Takes a record that is not in flight out of its queue.
local function withdraw(ch, G, ref, fields)
  if G and call('ZREM', G.B .. 'u', ref) == 1 then
    local rank, key = rankOf(ref), nil
    for j = 1, #fields, 2 do if fields[j] == 'partitionkey' then key = fields[j + 1] end end
    call('HDEL', G.B .. 'r', ref)
    call('ZREM', G.B .. 'd', ref)
    if G.keyed and key then
      call('ZREM', G.B .. 'w:' .. key, rank)
      call('ZREM', G.B .. 'h:' .. key, rank)
      changed(G, lane(G, key))
    else
      call('ZREM', G.B .. 't', rank)
    end
    saveLanes(G)
  elseif G then
    call('HINCRBY', G.B .. 'cur', 'read', 1)
  end
  erase(ch, { ref })
end

-- @return for each 0, 1 gone, 2 being handled, or why what takes its place cannot be stored
function ops.move(c, moves)
  local ch = channel(c)
  if not ch then return false end
  if ch.kind == 'log' then return 1 end
  local name = next(groupsOf(ch))
  local G, out = name and group(c, name), {}
  for i, move in ipairs(moves) do
    local stream, id = placeOf(ch, move[1])
    local entry = call('XRANGE', stream, id, id)[1]
    if not entry then out[i] = 1
    elseif G and isInFlight(G, move[1]) then out[i] = 2
    else
      out[i] = refusalOfAll(move[2]) or 0
      if out[i] == 0 then
        for _, rec in ipairs(move[2]) do storeOne(rec) end
        withdraw(ch, G, move[1], entry[2])
      end
    end
  end
  return out
end

-- Records of a key that wait behind one that holds it and waits itself.
local function waitingBehind(G, key)
  for _, rank in ipairs(call('ZRANGE', G.B .. 'h:' .. key, 0, -1)) do
    if call('ZSCORE', G.B .. 'd', refOf(rank)) then
      return call('ZLEXCOUNT', G.B .. 'w:' .. key, '(' .. rank, '+')
    end
  end
  return 0
end

local function unread(G)
  local left, added, exact = 0, 0, true
  for level = 0, G.ch.levels - 1 do
    local stream = streamOf(G.ch, level)
    local entries = call('XRANGE', stream, '(' .. (call('HGET', G.B .. 'cur', level) or '0-0'), '+', 'COUNT', 500)
    for _, e in ipairs(entries) do
      local mine = true
      for j = 1, #e[2], 2 do
        if e[2][j] == 'posthaste-group' and e[2][j + 1] ~= G.name then mine = false end
      end
      if mine then left = left + 1 end
    end
    if #entries == 500 then exact = false end
    if call('EXISTS', stream) == 1 then
      local all = call('XINFO', 'STREAM', stream)
      for i = 1, #all, 2 do if all[i] == 'entries-added' then added = added + all[i + 1] end end
    end
  end
  if exact then return left end
  return math.max(left, added - tonumber(call('HGET', G.B .. 'cur', 'read') or '0'))
end

-- { ready, waiting, in flight }
function ops.lag(c, g)
  local G = group(c, g)
  if not G then return channel(c) and 1 or false end
  local inFlight, waiting = 0, call('ZCARD', G.B .. 'd')
  for _, mid in ipairs(call('SMEMBERS', G.B .. 'm')) do inFlight = inFlight + call('HLEN', G.B .. 'm:' .. mid) - 1 end
  local keys = call('HGETALL', G.B .. 'k')
  for i = 1, #keys, 2 do
    if keys[i + 1]:sub(1, 1) == 'L' then waiting = waiting + waitingBehind(G, keys[i]) end
  end
  local ready = call('ZCARD', G.B .. 'u') - 1 + unread(G) - waiting
  for _, who in ipairs({ '', g }) do
    waiting = waiting + tonumber(call('HGET', P .. 'scheduled-for:' .. c, who) or '0')
  end
  return { ready, waiting, inFlight }
end

-- What was addressed to a group alone and is not settled, up to a place of the stream, so that it stays.
local function addressedUpTo(G, level, from, to)
  local kept = {}
  while true do
    local entries = call('XRANGE', streamOf(G.ch, level), '(' .. from, to, 'COUNT', 500)
    for _, e in ipairs(entries) do
      local addressee, key
      for j = 1, #e[2], 2 do
        if e[2][j] == 'posthaste-group' then addressee = e[2][j + 1]
        elseif e[2][j] == 'partitionkey' then key = e[2][j + 1] end
      end
      if addressee == G.name then
        kept[#kept + 1] = { level > 0 and e[1] .. '.' .. level or e[1], G.keyed and key or nil }
      end
      from = e[1]
    end
    if #entries < 500 then return kept end
  end
end

local function earlier(a, b)
  if not a then return b end
  local ams, aseq = idParts(a)
  local bms, bseq = idParts(b)
  if ams < bms or (ams == bms and aseq < bseq) then return a end
  return b
end

-- Moves a group without members: behind a place of the stream, or to its end where that is false.
-- @return 0, 1 there is no such group, 2 not of a queue, 3 temporary, or { members }
function ops.seek(c, g, behind)
  local G = group(c, g)
  if not G then return channel(c) and 1 or false end
  if G.ch.kind == 'queue' then return 2 end
  if groupsOf(G.ch)[g] == 'temporary' then return 3 end
  local count = call('SCARD', G.B .. 'm')
  if count > 0 then return { count } end
  local kept, places, read = {}, {}, 0
  local anyAddressed = tonumber(call('HGET', P .. 'meta:' .. c, 'addressed') or '0') > 0
  trim(G.ch)
  for level = 0, G.ch.levels - 1 do
    local stream = streamOf(G.ch, level)
    places[level] = earlier(behind, lastId(stream))
    if anyAddressed then
      for _, each in ipairs(addressedUpTo(G, level, '0-0', places[level])) do kept[#kept + 1] = each end
    end
    if call('EXISTS', stream) == 1 then
      local all = call('XINFO', 'STREAM', stream)
      for i = 1, #all, 2 do if all[i] == 'entries-added' then read = read + all[i + 1] end end
      read = read - #call('XRANGE', stream, '(' .. places[level], '+', 'COUNT', 100000)
    end
  end
  for _, key in ipairs(call('HKEYS', G.B .. 'k')) do call('DEL', G.B .. 'w:' .. key, G.B .. 'h:' .. key) end
  for _, part in ipairs({ 'cur', 'u', 'r', 'd', 'k', 't', 'l' }) do call('DEL', G.B .. part) end
  G.lanes, G.dirty = {}, {}
  lay(G)
  for level, place in pairs(places) do call('HSET', G.B .. 'cur', level, place) end
  call('HSET', G.B .. 'cur', 'read', read)
  for _, each in ipairs(kept) do
    call('ZADD', G.B .. 'u', each[1]:match('^%d+'), each[1])
    giveBack(G, each[1], 0, 0, true, each[2])
  end
  saveLanes(G)
  trim(G.ch)
  return 0
end

local function preparedKeys(c) return P .. 'prepared:' .. c, P .. 'prepared-at:' .. c end

-- @return 0, 1 prepared already, or why it cannot be stored
function ops.prepare(rec, checkAtMs)
  local why = refusal(rec)
  if why then return why end
  local records, times = preparedKeys(rec[1])
  local id = rec[5][2]
  if call('HEXISTS', records, id) == 1 then return 1 end
  call('HSET', records, id, pack({ rec, now(), 0 }))
  call('ZADD', times, checkAtMs, id)
  return 0
end

-- Decides about prepared records, { channel, id }. @return for each 0, 1 unknown, or why it cannot be stored
function ops.resolve(names, commits)
  local out = {}
  for i, name in ipairs(names) do
    local records, times = preparedKeys(name[1])
    local found = call('HGET', records, name[2])
    out[i] = 1
    if found then
      local rec = unpackm(found)[1]
      out[i] = commits == 1 and refusal(rec) or 0
      if out[i] == 0 then
        if commits == 1 then storeOne(rec) end
        call('HDEL', records, name[2])
        call('ZREM', times, name[2])
      end
    end
  end
  return out
end

function ops.postpone(c, id, checkAtMs)
  local records, times = preparedKeys(c)
  local found = call('HGET', records, id)
  if not found then return 1 end
  local p = unpackm(found)
  p[3] = p[3] + 1
  call('HSET', records, id, pack(p))
  call('ZADD', times, checkAtMs, id)
  return 0
end

function ops.prepared(c, limit)
  if not channel(c) then return false end
  local records, times = preparedKeys(c)
  local all, out = call('ZRANGE', times, 0, limit - 1, 'WITHSCORES'), {}
  for i = 1, #all, 2 do
    local p = unpackm(call('HGET', records, all[i]))
    local at = all[i + 1]
    out[#out + 1] = { p[1][4], p[1][5], p[2], at == 'inf' and -1 or tonumber(at), p[3] }
  end
  return out
end
`
