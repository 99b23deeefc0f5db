import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { Downstream, Effect, Halves, Kept, lateNewsUntil, recurrences, Tick } from '../contracts.ts'
import { barredTarget, flows } from '../flows.ts'
import type { GroupName, Occurrence } from '../journal.ts'
import { deadLettersOf, type System } from '../system.ts'
import { groupsUntil, unsettled } from './unsettled.ts'

/** Long enough for anything that is to be delivered to be delivered. */
const afterlifeMs = 300
const pageSize = 1_000

/** Tells what is left, and what is stored. */
export async function inspect(system: System, life: number): Promise<void> {
  await sleep(afterlifeMs)
  const { app, engine, journal } = system
  for (const { channel, group, count } of await unsettled(engine, life, false))
    journal.write({ t: 'lag', channel, group, unsettled: count })
  for (const { id } of await app.prepared(Halves).list({ limit: pageSize })) journal.write({ t: 'undecided', id })
  const chains = await engine.lag!.lag('posthaste.recurring.torture', 'handler')
  // One whose time is now is in hand: its next link comes with the end of this one, in one step.
  const waiting = chains.ready + chains.waiting + chains.inFlight
  journal.write({ t: 'chains', waiting, wanted: recurrences.length })
  for (const name of groupsUntil(life)) await tellDead(system, name, life)
  for (const { type } of [Downstream, Effect, Halves, Kept, Tick]) await tellStored(system, type)
}

async function tellDead({ app, journal }: System, { channel, group }: GroupName, life: number): Promise<void> {
  const contracts = [...flows.map(({ contract }) => contract), ...lateNewsUntil(life)]
  const contract = contracts.find(({ type }) => type === channel)!
  for (const target of [undefined, barredTarget]) {
    const letters = deadLettersOf(app, contract, { group, ...(target && { target }) })
    for (let after: string | undefined, more = true; more; more = after !== undefined) {
      const page = await letters.browse({ limit: pageSize, ...(after && { after }) })
      for (const { id, key, code, attempts, data, headers, deadAtMs } of page.letters) {
        const bodySum = crc32(data)
        journal.write({ t: 'dead', channel, group, id, key, code, attempts, bodySum, headers, atMs: deadAtMs, target })
      }
      after = page.next
    }
  }
}

async function tellStored({ engine, journal }: System, channel: string): Promise<void> {
  for (let after: string | undefined, more = true; more; more = after !== undefined) {
    const page = await engine.browsing!.browse({ channel, limit: pageSize, after })
    for (const { record, storedAtMs } of page.records) {
      const occurrence =
        channel === Tick.type ? (JSON.parse(Buffer.from(record.body).toString()) as Occurrence) : undefined
      journal.write({ t: 'stored', channel, id: record.id, atMs: storedAtMs, occurrence })
    }
    after = page.next
  }
}
