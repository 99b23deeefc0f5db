import { setTimeout as sleep } from 'node:timers/promises'
import { PosthasteError } from 'posthaste'
import { Ask } from '../contracts.ts'
import type { Random } from '../random.ts'
import type { Publisher } from './publisher.ts'

/** Requests answers, some in more of a hurry than they come, and some that it then no longer wants. */
export async function request(publisher: Publisher, random: Random): Promise<void> {
  for (;;) {
    const burst = Array.from({ length: random.integer(1, 4) }, () => requestOne(publisher, random))
    await Promise.all(burst)
    await sleep(random.integer(0, 40))
  }
}

async function requestOne(publisher: Publisher, random: Random): Promise<void> {
  const { app, journal } = publisher.system
  const data = publisher.make(Ask, random)
  const { id } = data
  const timeoutMs = random.chance(0.1) ? random.integer(1, 10) : 1_000
  const controller = new AbortController()
  const { signal } = controller
  if (random.chance(0.1)) setTimeout(() => controller.abort(), random.integer(0, 20))
  publisher.intend(Ask, data, { timeToLiveMs: timeoutMs })
  try {
    const answer = await app.request(Ask, data, { id, timeoutMs, signal })
    journal.write({ t: 'answered', id, ...answer })
  } catch (error) {
    journal.write({ t: 'unanswered', id, code: PosthasteError.is(error) ? error.code : String(error) })
  }
}
