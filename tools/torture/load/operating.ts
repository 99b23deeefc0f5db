import { setTimeout as sleep } from 'node:timers/promises'
import { Replayed } from '../contracts.ts'
import { flows } from '../flows.ts'
import type { Random } from '../random.ts'
import { groupOf } from '../system.ts'
import type { Publisher } from './publisher.ts'

const pageSize = 1_000
const backMsMax = 8_000

/** Pauses and resumes groups, and reads how far they are behind. */
export async function operate({ system: { app, journal } }: Publisher, random: Random): Promise<void> {
  for (;;) {
    await sleep(random.integer(10, 120))
    const { contract, followers } = random.pick(flows)
    const { group } = random.pick(followers)
    const name = { channel: contract.type, group }
    const control = groupOf(app, contract, group)
    if (random.chance(0.5)) {
      const { ready, waiting, inFlight } = await control.lag()
      journal.write({ t: 'lag-read', ...name, ready, waiting, inFlight })
      continue
    }
    await control.pause()
    journal.write({ t: 'paused', ...name })
    await sleep(random.integer(0, 60))
    journal.write({ t: 'resuming', ...name })
    await control.resume()
  }
}

/** Moves the group that replays back, to the oldest that is kept or to a time, and tells what stands behind its place. */
export async function replay({ system: { app, journal } }: Publisher, random: Random): Promise<void> {
  const name = { channel: Replayed.type, group: 'replay' }
  const control = groupOf(app, Replayed, name.group)
  for (;;) {
    await sleep(random.integer(50, 500))
    const toMs = random.chance(0.6) ? 0 : Date.now() - random.integer(500, backMsMax)
    journal.write({ t: 'seeking', ...name, toMs })
    await control.seek(toMs === 0 ? { to: 'earliest' } : { atMs: toMs })
    const retained: string[] = []
    for (let after: string | undefined, more = true; more; more = after !== undefined) {
      const page = await app.browse(Replayed, {
        limit: pageSize,
        ...(toMs > 0 && { sinceMs: toMs }),
        ...(after && { after }),
      })
      retained.push(...page.messages.map(({ id }) => id))
      after = page.next
    }
    journal.write({ t: 'sought', ...name, retained })
  }
}
