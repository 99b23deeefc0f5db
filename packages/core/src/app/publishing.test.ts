import { command, event } from '@posthaste/contracts'
import { memory } from '@posthaste/memory'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { manualClock } from '../testing/manual-clock.ts'
import { recordingLog } from '../testing/recording-log.ts'
import type { App } from './app.ts'
import { posthaste } from './posthaste.ts'

const Paid = event('shop.paid', { data: z.object({ n: z.number() }) })
const Price = command('shop.price', { data: z.object({ sku: z.string() }), reply: z.object({ cents: z.number() }) })

/** An application with a group that follows what is paid, and an engine unless the test wants none. */
function shop(engine = true) {
  const clock = manualClock()
  const options = { name: 'shop', clock, log: recordingLog(), signals: false }
  const app: App = posthaste(engine ? { ...options, engine: memory() } : options)
  onTestFinished(() => app.close())
  const seen: number[] = []
  const follow = (): void =>
    app.on(Paid, { group: 'points' }, ({ n }) => {
      seen.push(n)
    })
  return { app, clock, seen, follow }
}

describe('an application', () => {
  it('requests what it handles', async () => {
    const { app, clock } = shop()
    app.handle(Price, ({ sku }) => ({ cents: sku.length }))
    await app.start()
    const answer = app.request(Price, { sku: 'abc' })
    await clock.advance(1)
    expect(await answer).toEqual({ cents: 3 })
    expect(app.requestStats()).toMatchObject({ sent: 1, answered: 1 })
  })

  it('prepares, decides, and is asked back', async () => {
    const { app, clock, seen, follow } = shop()
    follow()
    app.onUnresolved(Paid, {}, ({ data }) => (data.n === 2 ? 'commit' : 'rollback'))
    await app.start()
    const first = await app.prepare(Paid, { n: 1 })
    await app.prepare(Paid, { n: 2 })
    expect(await app.prepared(Paid).list()).toHaveLength(2)
    await first.commit()
    await clock.advance(10_000)
    expect(seen).toEqual([1, 2])
  })

  it('has messages recur', async () => {
    const { app, clock, seen, follow } = shop()
    follow()
    app.recur(Paid, { name: 'hourly', cron: '0 * * * *', data: { n: 7 } })
    await app.start()
    await clock.advance(7_300_000)
    expect(seen).toEqual([7, 7])
  })

  it('needs an engine for all of that', async () => {
    const { app } = shop(false)
    app.recur(Paid, { name: 'hourly', cron: '0 * * * *', data: { n: 7 } })
    app.onUnresolved(Paid, {}, () => 'commit')
    await expect(app.request(Price, { sku: 'a' })).rejects.toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
    await expect(app.prepare(Paid, { n: 1 })).rejects.toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
    expect(() => app.prepared(Paid)).toThrow(expect.objectContaining({ code: 'CAPABILITY_UNSUPPORTED' }))
    expect(() => app.requestStats()).toThrow(expect.objectContaining({ code: 'CAPABILITY_UNSUPPORTED' }))
    await expect(app.start()).rejects.toThrow(/recur\(shop\.paid\)[\s\S]*onUnresolved\(shop\.paid\)/)
  })
})
