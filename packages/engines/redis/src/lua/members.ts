/** Sessions of processes, members of groups, and what becomes due: all that happens by itself. */
export const members = String.raw`
local function removeGroup(G)
  local c, g, B = G.ch.name, G.name, G.B
  call('HDEL', P .. 'groups:' .. c, g)
  G.ch.groups[g] = nil
  groupCache[c .. ':' .. g] = nil
  for _, key in ipairs(call('HKEYS', B .. 'k')) do call('DEL', B .. 'w:' .. key, B .. 'h:' .. key) end
  for _, mid in ipairs(call('SMEMBERS', B .. 'm')) do call('DEL', B .. 'm:' .. mid, B .. 't:' .. mid) end
  for _, part in ipairs({ 'cur', 'u', 'r', 'd', 'm', 'k', 't', 'l', 'owners' }) do call('DEL', B .. part) end
  call('ZREM', P .. 'agenda', 'g\n' .. c .. '\n' .. g)
  trim(G.ch)
end

-- Takes a member out and gives back what it has in flight; with vanished it counts as attempts.
local function leave(G, mid, vanished)
  local all = call('HGETALL', G.B .. 'm:' .. mid)
  local more = vanished and 1 or 0
  for i = 1, #all, 2 do
    if all[i] ~= long then
      local a, v, addressed, key = parse(all[i + 1])
      if key then leaveLane(G, key) end
      giveBack(G, all[i], a + more, v + more, addressed, key)
    end
  end
  call('SREM', G.B .. 'm', mid)
  saveLanes(G)
  call('DEL', G.B .. 'm:' .. mid, G.B .. 't:' .. mid)
  if groupsOf(G.ch)[G.name] == 'temporary' and call('SCARD', G.B .. 'm') == 0 then removeGroup(G) end
end

-- Ends a session: its members leave, and temporary groups that nobody has joined go with it.
local function endSession(sid, vanished)
  local S = P .. 'session:' .. sid
  for _, place in ipairs(call('SMEMBERS', S)) do
    local c, g, mid = place:match('^([^\n]*)\n([^\n]*)\n(.*)$')
    local G = group(c, g)
    if G and call('SISMEMBER', G.B .. 'm', mid) == 1 then leave(G, mid, vanished) end
  end
  for _, place in ipairs(call('SMEMBERS', S .. ':groups')) do
    local c, g = place:match('^([^\n]*)\n(.*)$')
    local G = group(c, g)
    if G and groupsOf(G.ch)[g] == 'temporary' then
      call('SREM', G.B .. 'owners', sid)
      if call('SCARD', G.B .. 'm') == 0 and call('SCARD', G.B .. 'owners') == 0 then removeGroup(G) end
    end
  end
  for _, field in ipairs(call('SMEMBERS', S .. ':patterns')) do call('HDEL', P .. 'patterns', field) end
  call('DEL', S, S .. ':groups', S .. ':patterns')
  call('ZREM', P .. 'sessions', sid)
  call('ZREM', P .. 'signs', sid)
  call('HDEL', P .. 'connections', sid)
end

-- @return when the next one is due, or nil
local function moveScheduled(c)
  joinDue(c, now())
  return call('ZRANGE', P .. 'due:' .. c, 0, 0, 'WITHSCORES')[2]
end

local function moveDelayed(c, g)
  local G = group(c, g)
  if not G then return end
  for _, ref in ipairs(call('ZRANGEBYSCORE', G.B .. 'd', '-inf', now(), 'LIMIT', 0, 500)) do
    call('ZREM', G.B .. 'd', ref)
    local _, _, _, key = parse(call('HGET', G.B .. 'r', ref))
    enter(G, ref, key)
  end
  saveLanes(G)
  return call('ZRANGE', G.B .. 'd', 0, 0, 'WITHSCORES')[2]
end

-- Does what is due. @return milliseconds until there is more to do; -1 when there is nothing
local function tick()
  for _, what in ipairs(call('ZRANGEBYSCORE', P .. 'agenda', '-inf', now(), 'LIMIT', 0, 8)) do
    local kind, c, g = what:match('^(.)\n([^\n]*)\n?(.*)$')
    local nextAt
    if kind == 'c' then nextAt = moveScheduled(c) else nextAt = moveDelayed(c, g) end
    if nextAt then call('ZADD', P .. 'agenda', nextAt, what) else call('ZREM', P .. 'agenda', what) end
  end
  local first = call('ZRANGE', P .. 'agenda', 0, 0, 'WITHSCORES')[2]
  return first and math.max(0, tonumber(first) - now()) or -1
end

function ops.tick() return tick() end

-- Ends sessions that nobody keeps: a few at a time, each takes as long as it had records in hand.
local function endDead()
  for _, dead in ipairs(call('ZRANGEBYSCORE', P .. 'sessions', '-inf', now(), 'LIMIT', 0, 4)) do
    endSession(dead, true)
  end
end

-- A sign of life. A connection is '<id at the server> <milliseconds to come back in>', or '' where it is not known.
-- @return what tick returns, and others that are quiet, each followed by its connection
local function sign(sid, leaseMs, connection, quietMs)
  call('ZADD', P .. 'sessions', now() + leaseMs, sid)
  call('ZADD', P .. 'signs', now(), sid)
  call('HSET', P .. 'connections', sid, connection)
  endDead()
  local quiet = {}
  for _, other in ipairs(call('ZRANGEBYSCORE', P .. 'signs', '-inf', now() - quietMs, 'LIMIT', 0, 500)) do
    local its = other ~= sid and call('HGET', P .. 'connections', other) or ''
    if its ~= '' then
      quiet[#quiet + 1] = other
      quiet[#quiet + 1] = its
    end
  end
  return { tick(), quiet }
end

-- All others are told of: whoever begins may be there because another has just gone.
function ops.begin(sid, leaseMs, connection) return sign(sid, leaseMs, connection, 0) end

-- @return false when the session was ended
function ops.beat(sid, leaseMs, connection, quietMs)
  return call('ZSCORE', P .. 'sessions', sid) and sign(sid, leaseMs, connection, quietMs)
end

-- Somebody saw that the server has these connections no more. A session that has come back meanwhile has another one.
function ops.gone(list)
  for i = 1, #list, 2 do
    local sid, connection = list[i], list[i + 1]
    if call('HGET', P .. 'connections', sid) == connection then
      call('ZADD', P .. 'sessions', 'XX', 'LT', now() + tonumber(connection:match('%d+$')), sid)
      call('HSET', P .. 'connections', sid, '')
    end
  end
  return 0
end

function ops.bye(sid, vanished)
  endSession(sid, vanished)
  return 0
end

-- @return 0, or what is missing: 1 the group, 2 the session
function ops.join(c, g, mid, sid)
  local G = group(c, g)
  if not G then return 1 end
  if not call('ZSCORE', P .. 'sessions', sid) then return 2 end
  call('SADD', G.B .. 'm', mid)
  asTable(G.B .. 'm:' .. mid)
  call('SADD', P .. 'session:' .. sid, c .. '\n' .. g .. '\n' .. mid)
  return 0
end

function ops.leave(c, g, mid, sid)
  local G = group(c, g)
  if G and call('SISMEMBER', G.B .. 'm', mid) == 1 then leave(G, mid, false) end
  call('SREM', P .. 'session:' .. sid, c .. '\n' .. g .. '\n' .. mid)
  return 0
end
`
