import { expect, it } from 'vitest'
import { systemHost } from './system-host.ts'

it('The clock of a client on its own does not fire at once what is due in more than 24 days', async () => {
  const { clock } = systemHost
  let isFired = false
  const timers = [2 ** 31, Number.POSITIVE_INFINITY].map((delayMs) => clock.setTimer(delayMs, () => (isFired = true)))
  await new Promise<void>((resolve) => void clock.setTimer(10, resolve))
  expect(isFired).toBe(false)
  for (const timer of timers) timer.cancel()
})
