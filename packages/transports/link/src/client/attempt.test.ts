import type { PosthasteError } from '@posthaste/contracts'
import { manualClock, silentLog } from 'posthaste/testing'
import { expect, it } from 'vitest'
import { Attempt } from './attempt.ts'
import { dialSettings } from './dial-options.ts'

it.each([
  ['said beforehand', 'token'],
  ['asked for', async () => 'token'],
])('An attempt that cannot even begin fails, in a turn of its own, with a token that is %s', async (_, token) => {
  const clock = manualClock()
  // What no check of options lets through, for whatever a socket refuses to begin with.
  const settings = {
    ...dialSettings({ url: 'link://localhost', token }),
    address: { kind: 'tcp', host: 'localhost', port: 65_536 } as const,
  }
  const failures: PosthasteError[] = []
  const outcome = { connected: () => {}, failed: (error: PosthasteError) => void failures.push(error) }
  new Attempt(settings, { clock, log: silentLog }, outcome)
  expect(failures).toEqual([])
  await new Promise((resolve) => setImmediate(resolve))
  expect(failures).toMatchObject([{ code: 'UNAVAILABLE' }])
  expect(clock.pending()).toBe(0)
})
