import { setTimeout as sleep } from 'node:timers/promises'
import { Timed } from '../contracts.ts'
import type { Random } from '../random.ts'
import type { Publisher } from './publisher.ts'

/** Longest that anything is scheduled ahead. */
export const aheadMsMax = 1_200

/** Schedules messages, and takes some of them back. */
export async function schedule(publisher: Publisher, random: Random): Promise<void> {
  const { app } = publisher.system
  const cancels = new Set<Promise<void>>()
  for (;;) {
    const data = publisher.make(Timed, random)
    const { id } = data
    const dueAtMs = Date.now() + random.integer(10, aheadMsMax)
    publisher.intend(Timed, data, { dueAtMs })
    await publisher.confirmed(id, () => app.schedule(Timed, data, { id, atMs: dueAtMs }))
    if (random.chance(0.3)) {
      const cancel = cancelLater(publisher, id, random.integer(0, 600)).finally(() => cancels.delete(cancel))
      cancels.add(cancel)
    }
    await sleep(random.integer(0, 20))
  }
}

async function cancelLater({ system: { app, journal } }: Publisher, id: string, afterMs: number): Promise<void> {
  await sleep(afterMs)
  journal.write({ t: 'cancelling', id })
  const wasWaiting = await app.cancel(Timed, id)
  journal.write({ t: 'cancelled', id, wasWaiting })
}
