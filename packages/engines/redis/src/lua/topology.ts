/** Channels, groups, and groups over patterns. */
export const topology = String.raw`
local function wordsOf(name)
  local words = {}
  for word in (name .. '.'):gmatch('([^.]*)%.') do words[#words + 1] = word end
  return words
end

-- Whether a log is of a pattern: a star is one word, two at the end are one or more.
local function isOf(pattern, ch)
  if ch.kind ~= 'log' or ch.name:sub(1, 10) == 'posthaste.' then return false end
  local wanted, found = wordsOf(pattern), wordsOf(ch.name)
  for i, word in ipairs(wanted) do
    if word == '**' then return #found >= i end
    if found[i] == nil or (word ~= '*' and word ~= found[i]) then return false end
  end
  return #wanted == #found
end

local function owned(G, lifetime, sid)
  if lifetime ~= 'temporary' then return end
  call('SADD', G.B .. 'owners', sid)
  call('SADD', P .. 'session:' .. sid .. ':groups', G.ch.name .. '\n' .. G.name)
end

local function addGroup(ch, g, from, lifetime, sid)
  local fromStart = ch.kind == 'queue' or from == 'earliest'
  if fromStart then trim(ch) end
  call('HSET', P .. 'groups:' .. ch.name, g, lifetime)
  groupsOf(ch)[g] = lifetime
  local G = group(ch.name, g)
  lay(G)
  local read = 0
  for level = 0, ch.levels - 1 do
    local stream = streamOf(ch, level)
    if not fromStart then call('HSET', G.B .. 'cur', level, lastId(stream)) end
    if call('EXISTS', stream) == 1 then
      local all = call('XINFO', 'STREAM', stream)
      for i = 1, #all, 2 do
        if all[i] == 'entries-added' then read = read + all[i + 1] end
        if all[i] == 'length' and fromStart then read = read - all[i + 1] end
      end
    end
  end
  call('HSET', G.B .. 'cur', 'read', read)
  owned(G, lifetime, sid)
end

local function follow(ch, pattern, g, spec, sid)
  if not isOf(pattern, ch) then return end
  local lifetime = groupsOf(ch)[g]
  if not lifetime then addGroup(ch, g, spec[1], spec[2], sid) else owned(group(ch.name, g), lifetime, sid) end
  call('PUBLISH', P .. 'channels', ch.name)
end

-- Settings of channels; false for those that do not exist.
function ops.channels(names)
  local out = {}
  for i, c in ipairs(names) do
    local spec = call('HGET', P .. 'channels', c)
    out[i] = spec and unpackm(spec) or false
  end
  return out
end

-- All channels, each with its settings.
function ops.listChannels()
  local all, out = call('HGETALL', P .. 'channels'), {}
  for i = 1, #all, 2 do out[#out + 1] = { all[i], unpackm(all[i + 1]) } end
  return out
end

-- All groups of a channel, each with its lifetime and how many members it has; false where there is no such channel.
function ops.listGroups(c)
  local ch = channel(c)
  if not ch then return false end
  local out = {}
  for g, lifetime in pairs(groupsOf(ch)) do out[#out + 1] = { g, lifetime, call('SCARD', group(c, g).B .. 'm') } end
  return out
end

-- Makes channels that do not exist. @return for each its settings as found, or 0 when it was made
function ops.declareChannels(list)
  local out = {}
  for i, each in ipairs(list) do
    local c = each[1]
    local found = call('HGET', P .. 'channels', c)
    if found then out[i] = unpackm(found) else
      call('HSET', P .. 'channels', c, pack(each[2]))
      channels[c] = nil
      out[i] = 0
      local all = call('HGETALL', P .. 'patterns')
      for j = 1, #all, 2 do
        local pattern, g = all[j]:match('^([^\n]*)\n(.*)$')
        local spec = unpackm(all[j + 1])
        follow(channel(c), pattern, g, spec, spec[3])
      end
    end
  end
  return out
end

-- Makes groups. @return for each: 0 made, 1 there, or { setting, value } that is other than wanted
function ops.declareGroups(sid, list)
  local out = {}
  for i, each in ipairs(list) do
    local c, g, from, lifetime = each[1], each[2], each[3], each[4]
    local ch = channel(c)
    local found = ch and groupsOf(ch)[g]
    local other = ch and next(groupsOf(ch))
    if not ch then out[i] = 1
    elseif found == lifetime then
      owned(group(c, g), lifetime, sid)
      out[i] = 1
    elseif found then out[i] = { 'lifetime', found }
    elseif ch.kind == 'queue' and other then out[i] = { 'group', other }
    else
      addGroup(ch, g, from, lifetime, sid)
      out[i] = 0
    end
  end
  return out
end

function ops.declarePattern(sid, pattern, g, from, lifetime)
  local field = pattern .. '\n' .. g
  call('HSET', P .. 'patterns', field, pack({ from, lifetime, sid }))
  if lifetime == 'temporary' then call('SADD', P .. 'session:' .. sid .. ':patterns', field) end
  for _, c in ipairs(call('HKEYS', P .. 'channels')) do follow(channel(c), pattern, g, { from, lifetime }, sid) end
  return 0
end

-- The logs with a group of a pattern.
function ops.followed(pattern)
  local out, isFollowed = {}, false
  for _, field in ipairs(call('HKEYS', P .. 'patterns')) do
    if field:match('^([^\n]*)\n') == pattern then isFollowed = true end
  end
  if not isFollowed then return out end
  for _, c in ipairs(call('HKEYS', P .. 'channels')) do
    if isOf(pattern, channel(c)) then out[#out + 1] = c end
  end
  return out
end
`
