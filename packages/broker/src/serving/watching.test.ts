import { packParcel } from '@posthaste/broker/protocol'
import { PosthasteError } from '@posthaste/contracts'
import type { LinkStream } from '@posthaste/link/connection'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import type { Grants } from '../access/grants.ts'
import { Tally } from '../quotas/tally.ts'
import { Session } from './session.ts'
import type { Surroundings } from './surroundings.ts'
import { watching } from './watching.ts'
import { Watchings } from './watchings.ts'

const none = { max: undefined, option: '' }
const places3 = { sessions: none, temporaryGroups: none, subscriptions: { max: 6, option: '' } }

/** A session that watches, and what became of its streams. */
async function rig(failure: 'CANCELLED' | 'DEADLINE_EXCEEDED' | 'UNAVAILABLE' | 'OVERLOADED') {
  const watchings = new Watchings(() => {})
  const ended: number[] = []
  const places = new Tally('the broker', places3)
  const session = { watchings, orphaned() {}, grants: { permissions: { mayFollow: () => true }, user: 'x', places } }
  for (let watch = 1; watch <= 3; watch++) {
    const engine = { patterns: { watch: async () => () => void ended.push(watch) } }
    const stream = { send: () => true, end() {}, fail() {} } as unknown as LinkStream
    const sink = watching(session as unknown as Session, stream, { engine, places } as unknown as Surroundings)
    sink.message(packParcel({ pattern: 'a.**', watch, isOver: false }), 0)
    await new Promise((resolve) => setImmediate(resolve))
    sink.failed(new PosthasteError(failure, 'as the test wants it'))
  }
  return { kept: watchings.numbers, ended, orphans: watchings.orphans.length }
}

describe('a watching', () => {
  it.each(['CANCELLED', 'DEADLINE_EXCEEDED'] as const)('that is given up, as %s, ends', async (code) => {
    expect(await rig(code)).toEqual({ kept: [], ended: [1, 2, 3], orphans: 0 })
  })

  it('that loses its connection while it begins again leaves in its place who stood for it, and takes no place', async () => {
    const ended: string[] = []
    const watchings = new Watchings(() => {})
    const places = new Tally('the broker', { ...places3, subscriptions: { max: 1, option: '' } })
    const session = { watchings, orphaned() {}, grants: { permissions: { mayFollow: () => true }, user: 'x', places } }
    const stream = { send: () => true, end() {}, fail() {} } as unknown as LinkStream
    const begin = async (name: string, isLost: boolean): Promise<void> => {
      const engine = { patterns: { watch: async () => () => void ended.push(name) } }
      const around = { engine, places: new Tally('x', places3) } as unknown as Surroundings
      const sink = watching(session as unknown as Session, stream, around)
      sink.message(packParcel({ pattern: 'a.**', watch: 1, isOver: false }), 0)
      if (isLost) sink.failed(new PosthasteError('UNAVAILABLE', 'as the test wants it'))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await begin('first', false)
    await begin('second', true)
    expect([ended, watchings.numbers]).toEqual([['second'], [1]])
    await begin('third', false)
    expect(ended).toEqual(['second', 'first'])
    watchings.endAll()
    await begin('fourth', true)
    expect([ended, watchings.numbers]).toEqual([['second', 'first', 'third', 'fourth'], []])
    Tally.take('subscriptions', [places])
  })

  it('that begins while its session ends is refused, and leaves neither a watcher nor a place behind', async () => {
    const places = new Tally('the broker', { ...places3, subscriptions: { max: 1, option: '' } })
    const watchers = new Set<string>()
    const watch = async (pattern: string) => {
      watchers.add(pattern)
      return () => void watchers.delete(pattern)
    }
    const around = { clock: manualClock(), places, isKept: () => false, engine: { patterns: { watch } } }
    const grants = { permissions: { mayFollow: () => true }, user: 'x', places: new Tally('x', places3) }
    const init = { ...{ id: 's', number: 1, instance: 'i', sessionMs: 100 }, grants: grants as unknown as Grants }
    const session = new Session(init, around as unknown as Surroundings, () => {})
    const failures: string[] = []
    const fail = ({ code }: PosthasteError): void => void failures.push(code)
    const stream = { send: () => true, end() {}, fail } as unknown as LinkStream
    const sink = watching(session, stream, around as unknown as Surroundings)
    sink.message(packParcel({ pattern: 'a.**', watch: 1, isOver: false }), 0)
    await session.leave()
    await new Promise((resolve) => setImmediate(resolve))
    sink.failed(new PosthasteError('UNAVAILABLE', 'the connection is gone, too'))
    expect([[...watchers], session.watchings.numbers, failures]).toEqual([[], [], ['UNAVAILABLE']])
    Tally.take('subscriptions', [places])
  })

  it.each(['UNAVAILABLE', 'OVERLOADED'] as const)('whose client may come back, after %s, goes on', async (code) => {
    expect(await rig(code)).toEqual({ kept: [1, 2, 3], ended: [], orphans: 3 })
  })
})
