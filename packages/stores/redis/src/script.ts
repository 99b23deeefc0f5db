import { createHash } from 'node:crypto'

/** A program that the server runs as one step. */
export interface Script {
  readonly text: string
  /** What the server knows it by. */
  readonly sha: string
  /** Whether running it again, with the same arguments, changes nothing more. */
  readonly repeatable: boolean
}

const script = (text: string, repeatable: boolean): Script => ({
  ...{ text, repeatable, sha: createHash('sha1').update(text).digest('hex') },
})

/**
 * The generic cell rate algorithm, on the server's clock. The key holds when the last unit that was taken would have come,
 * had they come evenly, in microseconds; it expires when it says nothing any more. Numbers are sent as text: the server cuts
 * the fractions of those that are none, and Lua's own text has fourteen digits only.
 *
 * In: units, microseconds of a unit, burst. Out: 1 if allowed, arrival minus now, microseconds by which it comes too early.
 *
 * @see ITU-T I.371 annex A (virtual scheduling)
 */
export const takeScript: Script = script(
  `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local unit = tonumber(ARGV[2])
local arrival = tonumber(redis.call('GET', KEYS[1]) or now)
if arrival < now then arrival = now end
local next = arrival + unit * ARGV[1]
local late = next - unit * ARGV[3] - now
local allowed = late <= math.min(unit, 1000) / 1000
if allowed then
  arrival = next
  if arrival > now then
    redis.call('SET', KEYS[1], string.format('%.17g', arrival), 'PX', math.ceil((arrival - now) / 1000))
  end
end
return { allowed and 1 or 0, string.format('%.17g', arrival - now), string.format('%.17g', late) }
`,
  false,
)

/** In: token, fingerprint, milliseconds. Out: what stands, and what there is to say of it. */
export const claimScript: Script = script(
  `
local kept = redis.call('HMGET', KEYS[1], 'token', 'fingerprint', 'result')
if not kept[1] then
  redis.call('HSET', KEYS[1], 'token', ARGV[1], 'fingerprint', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return { 'fresh' }
end
if kept[1] == ARGV[1] and not kept[3] then return { 'fresh' } end
if kept[2] ~= ARGV[2] then return { 'mismatch' } end
if kept[3] then return { 'done', kept[3] } end
return { 'inFlight', redis.call('PTTL', KEYS[1]) }
`,
  true,
)

/** In: token, fingerprint, milliseconds, result. Out: 1 if it is kept. */
export const completeScript: Script = script(
  `
local kept = redis.call('HMGET', KEYS[1], 'token', 'result')
if kept[1] and kept[1] ~= ARGV[1] then return 0 end
if kept[2] then return 1 end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'fingerprint', ARGV[2], 'result', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
`,
  true,
)

/** In: token. */
export const releaseScript: Script = script(
  `
local kept = redis.call('HMGET', KEYS[1], 'token', 'result')
if kept[1] == ARGV[1] and not kept[2] then redis.call('DEL', KEYS[1]) end
return 1
`,
  true,
)
