import { setTimeout as sleep } from 'node:timers/promises'
import { Exact, type TortureData } from '../contracts.ts'
import { type Random, seededRandom } from '../random.ts'
import type { Publisher } from './publisher.ts'

/** How far back lives repeat what was published, and how many messages of each. */
const livesBack = 3
const repeatedPerLife = 40
/** Numbers of a life that other messages do not reach. */
const seqFrom = 900_000

/** Publishes messages, each several times under its id: in this life, and in those that follow. */
export async function publishRepeatedly(publisher: Publisher, random: Random): Promise<void> {
  let next = 0
  for (;;) {
    const burst: Promise<unknown>[] = []
    for (let count = random.integer(1, 5); count > 0 && next < repeatedPerLife * 10; count--) {
      burst.push(publishAgain(publisher, publisher.life, next))
      if (random.chance(0.3)) burst.push(publishAgain(publisher, publisher.life, random.integer(0, next)))
      next += 1
    }
    const before = publisher.life - random.integer(1, livesBack)
    if (before >= 0) burst.push(publishAgain(publisher, before, random.integer(0, repeatedPerLife - 1)))
    await Promise.all(burst)
    await sleep(random.integer(0, 60))
  }
}

async function publishAgain(publisher: Publisher, life: number, at: number): Promise<void> {
  const data = dataOf(life, at)
  publisher.intend(Exact, data)
  await publisher.send(Exact, data)
  if (life !== publisher.life) publisher.system.journal.write({ t: 'repeated', id: data.id })
}

/** The same however often, and in whichever life, it is made. */
function dataOf(life: number, at: number): TortureData {
  const random = seededRandom(life, at)
  const kind = random.pick(['fine', 'fine', 'fine', 'slow', 'flaky'] as const)
  const plan = { kind, at: 'exact', failures: kind === 'flaky' ? random.integer(1, 3) : 0 }
  return { id: `${life}-x${at}`, key: '', seq: life * 1_000_000 + seqFrom + at, plan, note: `exactly once: ${at}` }
}
