import { setTimeout as sleep } from 'node:timers/promises'
import { PosthasteError, type Preparation } from 'posthaste'
import { Halves } from '../contracts.ts'
import type { Random } from '../random.ts'
import { resolutionOf } from '../resolution.ts'
import type { Publisher } from './publisher.ts'

/** Prepares messages and decides about most; about the others somebody is asked. */
export async function prepare(publisher: Publisher, random: Random): Promise<void> {
  for (;;) {
    await Promise.all(Array.from({ length: random.integer(1, 4) }, () => prepareOne(publisher, random)))
    await sleep(random.integer(0, 50))
  }
}

async function prepareOne(publisher: Publisher, random: Random): Promise<void> {
  const data = publisher.make(Halves, random)
  const { id } = data
  const { decision } = resolutionOf(id)
  publisher.intend(Halves, data, { decision })
  const checkAfterMs = random.integer(0, 300)
  const workMs = random.integer(0, 20)
  const decides = random.chance(0.7)
  let prepared: Preparation | undefined
  await publisher.confirmed(id, async () => {
    prepared = await publisher.system.app.prepare(Halves, data, { id, checkAfterMs })
  })
  if (prepared === undefined || !decides) return
  await sleep(workMs)
  const { journal } = publisher.system
  journal.write({ t: 'deciding', id, by: 'publisher' })
  try {
    await prepared[decision]()
    journal.write({ t: 'decided', id })
  } catch (error) {
    // Whoever was asked was first, and has said the same.
    if (!PosthasteError.is(error, 'NOT_FOUND')) journal.write({ t: 'error', text: `${decision} of ${id}: ${error}` })
  }
}
