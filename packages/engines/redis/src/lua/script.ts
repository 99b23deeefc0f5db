import { createHash } from 'node:crypto'
import { abilities } from './abilities.ts'
import { delivering } from './delivering.ts'
import { lanes } from './lanes.ts'
import { members } from './members.ts'
import { store } from './store.ts'
import { topology } from './topology.ts'

/** Runs one operation, and tells whoever waits for what it brought. */
const run = `
local reply = ops[ARGV[1]](unpack(unpackm(ARGV[2])))
for _, ch in pairs(grown) do trim(ch) end
for c, g in pairs(wakes) do call('PUBLISH', P .. 'wake:' .. c, g) end
return pack(reply)
`

/** Everything that happens in the server, as one script: each call is one step of it. */
export const script = [store, lanes, delivering, members, topology, abilities, run].join('')

/** What the server knows the script by. */
export const scriptSha = createHash('sha1').update(script).digest('hex')
