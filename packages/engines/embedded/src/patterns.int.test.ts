import type { PatternGroupSpec } from '@posthaste/contracts'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { copyAsKilled, Directories } from '../test/installation.ts'
import { record } from '../test/records.ts'
import { lull, opened, published, TestMember } from '../test/rig.ts'
import type { EmbeddedEngine } from './engine.ts'
import { Store } from './storage/store.ts'

let directories = new Directories()
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => directories.remove())

const follow = (engine: EmbeddedEngine, wish: Partial<PatternGroupSpec> = {}) =>
  engine.patterns.declare({ pattern: 'a.*', group: 'p', from: 'next', ...wish })

const log = (engine: EmbeddedEngine, name: string) =>
  engine.declare({ channels: [{ name, kind: 'log', keyed: false }], groups: [] })

describe('a group over a pattern', () => {
  it('is made with the channel in one transaction: what a kill leaves has both or none', async () => {
    const dir = directories.fresh()
    const before = await opened(dir)
    await follow(before.engine)
    await log(before.engine, 'a.1')
    await published(before.engine, record('1', { channel: 'a.1' }))
    const next = directories.fresh()
    await copyAsKilled(dir, next)
    await before.engine.close()
    const { engine } = await opened(next)
    const member = await TestMember.join(engine, 1, { channel: 'a.1', group: 'p' })
    expect((await member.take(1))[0]?.record.id).toBe('1')
    await log(engine, 'a.2')
    await expect(TestMember.join(engine, 1, { channel: 'a.2', group: 'p' })).resolves.toBeDefined()
    await engine.close()
  })

  it('that is temporary keeps nothing of a channel once its members and watchers have gone', async () => {
    const { engine } = await opened(directories.fresh())
    const told: string[] = []
    await log(engine, 'a.1')
    await log(engine, 'a.2')
    await follow(engine, { lifetime: 'temporary' })
    const end = await engine.patterns.watch('a.*', (channel) => told.push(channel))
    const member = await TestMember.join(engine, 1, { channel: 'a.1', group: 'p' })
    await member.subscription.stop()
    await log(engine, 'a.3')
    expect(told).toEqual(['a.1', 'a.2', 'a.3'])
    const other = await TestMember.join(engine, 1, { channel: 'a.3', group: 'p' })
    end()
    await expect(engine.lag.lag('a.2', 'p')).resolves.toBeDefined()
    await other.subscription.stop()
    await log(engine, 'a.4')
    for (const channel of ['a.1', 'a.2', 'a.3', 'a.4'])
      await expect(engine.lag.lag(channel, 'p')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await published(engine, record('1', { channel: 'a.2' }))
    await lull(engine)
    expect((await engine.browsing.browse({ channel: 'a.2', limit: 1 })).records).toEqual([])
    await engine.close()
  })

  it('does not suffer from a watcher that throws, which is logged', async () => {
    const { engine, log: logged } = await opened(directories.fresh())
    await follow(engine)
    await engine.patterns.watch('a.*', () => {
      throw new Error('a bug')
    })
    expect(await log(engine, 'a.1')).toMatchObject({ created: ['a.1'] })
    expect(logged.entries).toMatchObject([{ level: 'error', fields: { channel: 'a.1' } }])
    await engine.close()
  })

  it('is followed and watched on when the engine goes on after a failed write, a temporary one too', async () => {
    const { engine } = await opened(directories.fresh())
    const told: string[] = []
    await log(engine, 'a.1')
    await follow(engine, { lifetime: 'temporary' })
    await engine.patterns.watch('a.*', (channel) => told.push(channel))
    const failing = vi.spyOn(Store.prototype, 'commit').mockRejectedValue(new Error('no space left on device'))
    expect(await engine.publish([record('1', { channel: 'a.1' })])).toMatchObject([{ ok: false }])
    failing.mockRestore()
    await engine.resume()
    await log(engine, 'a.2')
    expect(told).toEqual(['a.1', 'a.2'])
    for (const channel of told) {
      const member = await TestMember.join(engine, 1, { channel, group: 'p' })
      await published(engine, record('2', { channel }))
      await member.take(1)
      expect(member.ids).toEqual(['2'])
    }
    await engine.close()
  })
})
