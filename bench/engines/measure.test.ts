import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Opened } from './contestant.ts'
import { inLanes } from './flow.ts'
import { measured } from './measure.ts'

const task = { window: 4, warmUpMs: 5, durationMs: 30 }

/** Hands every message to the handler before it is confirmed, but for those that `loses` says. */
function contestant(loses: (count: number) => boolean = () => false): Opened {
  let handler = (): void => {}
  let count = 0
  return {
    publish: (flow) =>
      inLanes(flow, async () => {
        await sleep(1)
        if (!loses(++count)) handler()
      }),
    async consume(onMessage) {
      handler = onMessage
    },
    async close() {},
  }
}

describe('a measurement', () => {
  it.each(['publish', 'through'] as const)('of %s has a rate and a cost', async (work) => {
    const { perSecond, cpuUs } = await measured(contestant(), { ...task, work })
    expect(perSecond).toBeGreaterThan(0)
    expect(cpuUs).toBeGreaterThan(0)
  })

  it('fails with whoever publishes', async () => {
    const failing = { ...contestant(), publish: () => Promise.reject(new Error('no server')) }
    await expect(measured(failing, { ...task, durationMs: 60_000, work: 'publish' })).rejects.toThrow('no server')
  })

  it('fails when a message is lost', async () => {
    const losing = contestant((count) => count === 3)
    await expect(measured(losing, { ...task, work: 'through', catchUpMsMax: 10 })).rejects.toThrow(
      /^1 of \d+ messages were not handled$/,
    )
  })
})
