/** Handing records over, and settling them. */
export const delivering = String.raw`
-- Most entries that one call looks at, so that others have their turn.
local scanMax = 1000

-- Most that a group may have taken and not settled.
local unsettledMax = 100000

-- Whose turn it is in a level: the earlier of what is anybody's and what is this member's.
local function firstTurn(G, mid, level)
  local from, to = '[' .. (9 - level), level == 0 and '(:' or '(' .. (10 - level)
  local anybody = call('ZRANGEBYLEX', G.B .. 't', from, to, 'LIMIT', 0, 1)[1]
  local own = G.keyed and call('ZRANGEBYLEX', G.B .. 't:' .. mid, from, to, 'LIMIT', 0, 1)[1]
  if own and not (anybody and anybody < own) then return own end
  return anybody
end

-- Hands over what was taken from the stream before and whose turn it is now.
local function handReady(G, H, level)
  while #H.out < H.credit and H.bytes < H.bytesMax do
    local turn = firstTurn(G, H.mid, level)
    if not turn then return end
    local rank, key = turn:sub(1, rankBytes), turn:sub(rankBytes + 1)
    local ref = refOf(rank)
    local a, v, addressed = parse(call('HGET', G.B .. 'r', ref))
    local stream, id = placeOf(G.ch, ref)
    local entry = call('XRANGE', stream, id, id)[1]
    call('HDEL', G.B .. 'r', ref)
    if key == '' then
      key = nil
      call('ZREM', G.B .. 't', rank)
    else
      local L = lane(G, key)
      call('ZREM', G.B .. 'w:' .. key, rank)
      if entry then L.count, L.owner = L.count + 1, H.mid else call('ZREM', G.B .. 'h:' .. key, rank) end
      changed(G, L)
      saveLanes(G, H.mid)
    end
    if entry then H.hand(ref, entry[2], a, v, addressed, key)
    else call('ZREM', G.B .. 'u', ref) end
  end
end

-- Hands over what stands in the stream behind what the group has read.
local function handNew(G, H, level)
  local stream, keyed, suffix = streamOf(G.ch, level), G.keyed, level > 0 and '.' .. level or ''
  local cursor = call('HGET', G.B .. 'cur', level) or '0-0'
  local step, read = 10, 0
  -- Where no record has a key that counts, and none is addressed to a group, nobody need look into them.
  local looksIn = keyed or (tonumber(call('HGET', P .. 'meta:' .. G.ch.name, 'addressed')) or 0) > 0
  while #H.out < H.credit and H.bytes < H.bytesMax do
    if H.scanned >= scanMax or H.unsettled >= unsettledMax then H.more = H.scanned >= scanMax break end
    local wanted = math.min(H.credit - #H.out, step, scanMax - H.scanned)
    local entries = call('XRANGE', stream, '(' .. cursor, '+', 'COUNT', wanted)
    local before = H.bytes
    local keys, addressees = {}, {}
    if looksIn then
      for i = 1, #entries do
        local e = entries[i]
        local fields = e[2]
        for j = 1, #fields, 2 do
          local name = fields[j]
          if name == 'partitionkey' then e.key = keyed and fields[j + 1] ~= '' and fields[j + 1] or nil
          elseif name == 'posthaste-group' then addressees[i] = fields[j + 1] end
        end
        if e.key then keys[#keys + 1] = e.key end
      end
    end
    loadLanes(G, keys)
    local taken, unsettled = H.taken, 0
    for i = 1, #entries do
      local e = entries[i]
      cursor = e[1]
      local addressee = addressees[i]
      if not addressee or addressee == G.name then
        local ref, key = cursor .. suffix, e.key
        taken[#taken + 1] = cursor:match('^%d+')
        taken[#taken + 1] = ref
        unsettled = unsettled + 1
        local L = key and G.lanes[key]
        if L and (L.laned or (L.owner and L.owner ~= H.mid)) then
          call('ZADD', G.B .. 'w:' .. key, 0, rankOf(ref))
          call('HSET', G.B .. 'r', ref, info(0, 0, addressee, key))
          L.laned = true
          changed(G, L)
        else
          if L then
            L.count, L.owner = L.count + 1, H.mid
            changed(G, L)
          end
          H.hand(ref, e[2], 0, 0, addressee, key)
        end
      end
    end
    H.unsettled = H.unsettled + unsettled
    read = read + #entries
    H.scanned = H.scanned + #entries
    if #entries < wanted then break end
    step = math.max(1, math.min(500, math.floor(#entries * H.bytesMax / (4 * math.max(1, H.bytes - before))), step * 8))
  end
  if read > 0 then
    call('HSET', G.B .. 'cur', level, cursor)
    call('HINCRBY', G.B .. 'cur', 'read', read)
  end
end

-- Hands over at most so many records and about so many bytes. @return false when the member is none any more
function ops.claim(c, g, mid, credit, bytesMax)
  local G = group(c, g)
  if not G or call('SISMEMBER', G.B .. 'm', mid) == 0 then return false end
  local H = { mid = mid, credit = credit, bytesMax = bytesMax, bytes = 0, out = {}, taken = {}, scanned = 0 }
  H.unsettled = call('ZCARD', G.B .. 'u') - 1
  local held = {}
  local out = H.out
  function H.hand(ref, fields, a, v, addressed, key)
    out[#out + 1] = { ref, a + 1, v, fields }
    held[#held + 1] = ref
    held[#held + 1] = info(a, v, addressed, key)
    -- Bodies are the last fields of their entries.
    H.bytes = H.bytes + #fields[#fields] + 200
  end
  for level = G.ch.levels - 1, 0, -1 do
    handReady(G, H, level)
    handNew(G, H, level)
  end
  if #H.taken > 0 then call('ZADD', G.B .. 'u', unpack(H.taken)) end
  if #held > 0 then call('HSET', G.B .. 'm:' .. mid, unpack(held)) end
  saveLanes(G)
  return { (H.more or H.bytes >= bytesMax) and 1 or 0, H.out }
end

-- Gives a record back to its group, at once.
local function giveBack(G, ref, a, v, addressed, key)
  local known = info(a, v, addressed, key)
  if known ~= '' then call('HSET', G.B .. 'r', ref, known) end
  enter(G, ref, key)
end

local function leaveLane(G, key)
  local L = lane(G, key)
  L.count = math.max(0, L.count - 1)
  changed(G, L)
  return L
end

-- Settlements: a text is an ack of that ref, { ref, 0, records to publish } one that publishes, and
-- { ref, 1, counted, holds, dueAtMs } a release.
-- @return 0 when all went well; else for each 0, 1 when it is not the member's, or why it could not be published
function ops.settle(c, g, mid, list)
  local G = group(c, g)
  if not G or call('SISMEMBER', G.B .. 'm', mid) == 0 then return false end
  local refs, out, failed = {}, {}, false
  for i, s in ipairs(list) do refs[i] = type(s) == 'string' and s or s[1] end
  local infos = call('HMGET', G.B .. 'm:' .. mid, unpack(refs))
  local seen, ended, done, gone, keys = {}, {}, {}, {}, {}
  if G.keyed then
    for i = 1, #refs do
      local known = infos[i]
      if known and known ~= '' then
        local _, _, _, key = parse(known)
        keys[#keys + 1] = key
      end
    end
    loadLanes(G, keys)
  end
  for i, s in ipairs(list) do
    local ref, why = refs[i], 0
    local isAck = s == ref or s[2] == 0
    local publishes = isAck and s ~= ref and s[3]
    if not infos[i] or seen[ref] then why = 1
    elseif publishes then why = refusalOfAll(publishes) or 0 end
    out[i] = why
    if why ~= 0 then failed = true else
      seen[ref] = true
      ended[#ended + 1] = ref
      local a, v, addressed, key = parse(infos[i])
      local L = key and leaveLane(G, key)
      if isAck then
        if publishes then for _, rec in ipairs(publishes) do storeOne(rec) end end
        done[#done + 1] = ref
        if G.ch.kind == 'queue' or addressed then gone[#gone + 1] = ref end
        if addressed then call('HINCRBY', P .. 'meta:' .. c, 'addressed', -1) end
        if L and L.laned then call('ZREM', G.B .. 'h:' .. key, rankOf(ref)) end
      else
        if s[3] == 1 then a = a + 1 end
        if s[4] == 1 and key then
          call('ZADD', G.B .. 'h:' .. key, 0, rankOf(ref))
          L.laned = true
        end
        if s[5] > now() then
          local known = info(a, v, addressed, key)
          if known ~= '' then call('HSET', G.B .. 'r', ref, known) end
          call('ZADD', G.B .. 'd', s[5], ref)
          remind('g\n' .. c .. '\n' .. g, s[5])
        else
          giveBack(G, ref, a, v, addressed, key)
        end
      end
    end
  end
  if #ended > 0 then call('HDEL', G.B .. 'm:' .. mid, unpack(ended)) end
  if #done > 0 then call('ZREM', G.B .. 'u', unpack(done)) end
  if #gone > 0 then erase(G.ch, gone) end
  saveLanes(G)
  if #done > 0 then trim(G.ch) end
  return failed and out or 0
end

-- What a member has in flight: after a call whose answer was lost, it compares.
function ops.holding(c, g, mid)
  local G = group(c, g)
  if not G or call('SISMEMBER', G.B .. 'm', mid) == 0 then return false end
  local refs = {}
  for _, ref in ipairs(call('HKEYS', G.B .. 'm:' .. mid)) do
    if ref ~= long then refs[#refs + 1] = ref end
  end
  return refs
end
`
