import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { command, event } from '@posthaste/contracts'
import { embedded } from '@posthaste/embedded'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { half } from '../../../test/bus/rig.ts'
import { type ManualClock, manualClock } from '../../testing/manual-clock.ts'
import { recordingLog } from '../../testing/recording-log.ts'
import { type Bus, createBus } from '../bus.ts'

const Paid = event('shop.paid', { data: z.object({ n: z.number() }) })
const Price = command('shop.price', { data: z.string(), reply: z.number() })
const hourMs = 3_600_000

/** One life of an application on a directory, at a time that goes on from life to life. */
async function life(dir: string, clock: ManualClock, register: (bus: Bus) => void) {
  const log = recordingLog()
  const engine = embedded({ dir })
  await engine.open({ clock, log, instance: 'shop-1', random: half, onState: () => {} })
  const bus = createBus({ name: 'shop', engine, clock, log, instance: 'shop-1', random: half })
  register(bus)
  await bus.start()
  const end = async (): Promise<void> => {
    await bus.close()
    await engine.close()
  }
  return { bus, end }
}

/** A directory of the test's own, and a clock. */
function place() {
  const dir = mkdtempSync(join(tmpdir(), 'publishing-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return { dir, clock: manualClock() }
}

/** Moves the clock on in steps until something holds: what the disk does takes its own time. */
async function meanwhile(clock: ManualClock, holds: () => boolean | Promise<boolean>, stepMs = 10): Promise<void> {
  for (let step = 0; step < 2_000; step++) {
    if (await holds()) return
    await clock.advance(stepMs)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  throw new Error('it never came to hold')
}

describe('over a restart', () => {
  it('what is prepared is asked back about by whoever comes next', async () => {
    const { dir, clock } = place()
    const first = await life(dir, clock, () => {})
    await first.bus.prepare(Paid, { n: 1 })
    await first.end()
    const seen: number[] = []
    const asked: number[] = []
    const second = await life(dir, clock, (bus) => {
      bus.onUnresolved(Paid, {}, ({ data }) => {
        asked.push(data.n)
        return 'commit'
      })
      bus.on(Paid, { group: 'points' }, ({ n }) => {
        seen.push(n)
      })
    })
    await meanwhile(clock, () => seen.length > 0, 500)
    expect({ asked, seen }).toEqual({ asked: [1], seen: [1] })
    expect(await second.bus.prepared(Paid).list()).toEqual([])
    await second.end()
  })

  it('what recurs goes on, and makes up once for what it missed', async () => {
    const { dir, clock } = place()
    const hours: number[] = []
    const startMs = clock.nowMs()
    const recurring = (bus: Bus): void => {
      bus.on(Paid, { group: 'points' }, ({ n }) => {
        hours.push(n)
      })
      bus.recur(Paid, { name: 'hourly', cron: '0 * * * *', data: (atMs) => ({ n: (atMs - startMs) / hourMs }) })
    }
    const first = await life(dir, clock, recurring)
    await clock.advance(hourMs)
    await meanwhile(clock, () => hours.length === 1)
    await first.end()
    await clock.advance(3 * hourMs)
    const second = await life(dir, clock, recurring)
    await meanwhile(clock, () => hours.length === 2)
    await clock.advance(hourMs)
    await meanwhile(clock, () => hours.length === 3)
    expect(hours).toEqual([1, 2, 5])
    await second.end()
  })

  it('requests are answered, and the replies of an earlier life are nobody’s', async () => {
    const { dir, clock } = place()
    const pricing = (bus: Bus): void => bus.handle(Price, (sku) => sku.length)
    for (const sku of ['abc', 'abcdef']) {
      const { bus, end } = await life(dir, clock, pricing)
      let answer: number | undefined
      void bus.request(Price, sku).then((price) => {
        answer = price
      })
      await meanwhile(clock, () => answer !== undefined)
      expect(answer).toBe(sku.length)
      expect(bus.requestStats()).toMatchObject({ answered: 1, late: 0 })
      await end()
    }
  })
})
