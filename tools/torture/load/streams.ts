import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import {
  Batched,
  Brief,
  Bulky,
  Kept,
  Keyed,
  Live,
  lateNewsOf,
  Once,
  overBytes,
  Packed,
  Plain,
  type Plan,
  Replayed,
  Revised,
  Ruled,
  Tagged,
  type TortureContract,
  type TortureData,
  Upstream,
  Urgent,
  Work,
} from '../contracts.ts'
import type { Random } from '../random.ts'
import type { Publisher, Saying } from './publisher.ts'

/** How one publisher goes about: bursts that it awaits all together, and pauses in between. */
export interface Stream {
  readonly contract: TortureContract
  readonly burstMax: number
  readonly pauseMsMax: number
  /** What is said about each message. */
  readonly saying?: (random: Random) => Saying
  readonly note?: (random: Random) => string
  /** How all of them go, where that is not left to chance. */
  readonly plan?: Plan
}

const tags = ['red', 'green', 'blue'] as const

function tagged(random: Random): Saying {
  const tag = random.chance(0.8) ? { tag: random.pick(tags) } : {}
  const shade = random.chance(0.8) ? { shade: String(random.integer(0, 9)) } : {}
  return { headers: { ...tag, ...shade } }
}

/** Some fit, most do not. */
const bulkyNote = (random: Random): string => 'x'.repeat(random.integer(overBytes / 2, overBytes * 3))

/** What is published all the time; the same contract twice is two publishers. */
export function streamsOf(life: number): readonly Stream[] {
  return [
    { contract: Keyed, burstMax: 12, pauseMsMax: 64 },
    { contract: Keyed, burstMax: 8, pauseMsMax: 64 },
    { contract: Plain, burstMax: 12, pauseMsMax: 80 },
    { contract: Work, burstMax: 10, pauseMsMax: 80 },
    { contract: Upstream, burstMax: 10, pauseMsMax: 80 },
    { contract: Batched, burstMax: 12, pauseMsMax: 80 },
    { contract: Once, burstMax: 6, pauseMsMax: 96 },
    { contract: Tagged, burstMax: 6, pauseMsMax: 96, saying: tagged },
    { contract: Packed, burstMax: 4, pauseMsMax: 128 },
    { contract: lateNewsOf(life), burstMax: 4, pauseMsMax: 128 },
    { contract: Brief, burstMax: 5, pauseMsMax: 128 },
    { contract: Urgent, burstMax: 6, pauseMsMax: 128, saying: (random) => ({ priority: random.integer(0, 2) }) },
    { contract: Live, burstMax: 5, pauseMsMax: 96 },
    { contract: Ruled, burstMax: 5, pauseMsMax: 128 },
    { contract: Replayed, burstMax: 4, pauseMsMax: 96 },
    { contract: Kept, burstMax: 4, pauseMsMax: 128 },
    { contract: Bulky, burstMax: 2, pauseMsMax: 240, note: bulkyNote },
  ]
}

/** Contracts of which now and then one message cannot be read. */
export const misused: readonly TortureContract[] = [Keyed, Plain, Work, Upstream, Batched, Tagged]
/** Contracts of which one message may kill whoever handles it. */
export const poisoned: readonly TortureContract[] = [Keyed, Plain, Work, Upstream, Batched, Tagged, Urgent]

/** Publishes for ever. */
export async function publishStream(publisher: Publisher, stream: Stream, random: Random): Promise<void> {
  const { contract, burstMax, pauseMsMax } = stream
  for (;;) {
    const burst = Array.from({ length: random.integer(1, burstMax) }, () => publishOne(publisher, stream, random))
    if (misused.includes(contract) && random.chance(0.01)) burst.push(publishMalformed(publisher, contract, random))
    await Promise.all(burst)
    await sleep(random.integer(0, pauseMsMax))
  }
}

/** Two versions of one contract, from publishers that do not know of each other. */
export async function publishRevised(publisher: Publisher, random: Random): Promise<void> {
  for (;;) {
    const data = publisher.make(Revised, random)
    const headers = headersOf(data.id)
    if (random.chance(0.5)) await publisher.sendRevisedBefore(data, headers)
    else {
      publisher.intend(Revised, data, { headers })
      await publisher.send(Revised, data, { headers })
    }
    await sleep(random.integer(0, 40))
  }
}

/** Publishes one message of a stream. */
export async function publishOne(publisher: Publisher, stream: Stream, random: Random): Promise<void> {
  const { contract, saying, note, plan } = stream
  const data = publisher.make(contract, random, { ...(plan && { plan }), ...(note && { note: note(random) }) })
  const said = saying?.(random)
  const headers = { ...headersOf(data.id), ...said?.headers }
  publisher.intend(contract, data, { headers, ...travelling(contract, data) })
  await publisher.send(contract, data, { ...said, headers })
}

/** How the body travels, where it is not the data as JSON. */
function travelling(contract: TortureContract, data: TortureData): { bodySum?: number; claimed?: true } {
  const bytes = contract.codec?.encode(data)
  if (bytes !== undefined) return { bodySum: crc32(bytes) }
  const isBig = contract === Bulky && Buffer.byteLength(JSON.stringify(data)) > overBytes
  return isBig ? { bodySum: crc32(''), claimed: true } : {}
}

/** What dead letters are to have still. */
const headersOf = (id: string): { torturetag: string } => ({ torturetag: `tag of ${id}, ü` })

/** Bytes that are no JSON, past the bus, as a foreign program would publish them. */
async function publishMalformed(publisher: Publisher, contract: TortureContract, random: Random): Promise<void> {
  const data = publisher.make(contract, random, { plan: { kind: 'malformed', at: '', failures: 0 } })
  const { id, key } = data
  const body = Buffer.concat([Buffer.from(`{"id":"${id}`), Buffer.from([0xff, 0, 0xc3, random.integer(0, 255)])])
  publisher.intend(contract, data, { bodySum: crc32(body) })
  const headers = { type: contract.type, source: '/foreign', datacontenttype: 'application/json' }
  const record = { id, channel: contract.type, key: contract.key && key, headers, body }
  await publisher.confirmed(id, async () => {
    const [outcome] = await publisher.system.engine.publish([record])
    if (outcome?.ok !== true) throw outcome?.error ?? new Error('no outcome')
  })
}
