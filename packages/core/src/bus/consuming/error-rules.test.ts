import { ignore, PosthasteError, reject, retryLater } from '@posthaste/contracts'
import { describe, expect, it, vi } from 'vitest'
import { kinds, memoryRig, Noted, Ordered, ordered, scriptedRig } from '../../../test/bus/rig.ts'
import type { ErrorRule } from './error-rules.ts'

const failing = (error: unknown) => () => {
  throw error
}

/** What becomes of one delivery whose handler fails so. */
async function outcome(error: unknown, errors: readonly ErrorRule[], attempt = 1) {
  const rig = await ordered(failing(error), { errors, retry: { immediate: 0, delayed: 5 } })
  rig.subscription.deliver({ key: 'a', n: 1, attempt })
  await rig.clock.advance(0)
  const [settlement] = rig.subscription.settlements
  const to = settlement?.kind === 'ack' ? settlement.publish?.[0]?.channel : undefined
  return { kind: kinds(rig.subscription.settlements)[0], to, settlement, stats: rig.bus.stats()[0]! }
}

describe('a rule for errors', () => {
  it('gives what the handler throws another verdict', async () => {
    const conflict = new PosthasteError('CONFLICT', 'version moved')
    expect((await outcome(conflict, [])).kind).toBe('1 publish')
    expect((await outcome(conflict, [{ when: 'CONFLICT', action: 'retry' }])).kind).toBe('1 retry')
    const ignored = await outcome(conflict, [{ when: ['NOT_FOUND', 'CONFLICT'], action: 'ignore' }])
    expect(ignored).toMatchObject({ kind: '1 ack', stats: { ignored: 1 } })
    const unavailable = new PosthasteError('UNAVAILABLE', 'down')
    expect((await outcome(unavailable, [{ when: 'UNAVAILABLE', action: 'dead-letter' }])).kind).toBe('1 publish')
    expect((await outcome(ignore('no'), [{ when: 'HANDLER_IGNORED', action: 'dead-letter' }])).kind).toBe('1 publish')
    expect((await outcome(reject('no'), [{ when: 'CONFLICT', action: 'retry' }])).kind).toBe('1 publish')
  })

  it('is asked with what was thrown as the cause', async () => {
    class Deadlock extends Error {}
    const when = (error: PosthasteError) => error.cause instanceof Deadlock
    const rules: ErrorRule[] = [{ when, action: 'ignore' }]
    expect((await outcome(new Deadlock('again'), rules)).kind).toBe('1 ack')
    expect((await outcome(new Error('else'), rules)).kind).toBe('1 retry')
  })

  it('holds when it is the first that matches', async () => {
    const rules: ErrorRule[] = [
      { when: 'CONFLICT', action: 'ignore' },
      { when: () => true, action: 'dead-letter' },
    ]
    expect((await outcome(new PosthasteError('CONFLICT', 'x'), rules)).kind).toBe('1 ack')
    expect((await outcome(new PosthasteError('UNAVAILABLE', 'x'), rules)).kind).toBe('1 publish')
  })

  it('whose condition throws, or says something else than true, does not hold', async () => {
    const rules: ErrorRule[] = [
      { when: failing(new Error('bug')), action: 'ignore' },
      { when: (() => 'yes') as never, action: 'ignore' },
    ]
    expect((await outcome(new Error('x'), rules)).kind).toBe('1 retry')
  })

  it('may bring a ladder of its own', async () => {
    const rules: ErrorRule[] = [{ when: 'UNAVAILABLE', retry: { immediate: 0, delayed: 8, baseMs: 60_000 } }]
    const later = await outcome(new PosthasteError('UNAVAILABLE', 'down'), rules, 7)
    expect(later.kind).toBe('1 retry')
    expect(later.settlement).toMatchObject({ visibleAtMs: expect.any(Number) })
    expect((await outcome(new PosthasteError('UNAVAILABLE', 'down'), rules, 9)).kind).toBe('1 publish')
    expect((await outcome(new Error('x'), rules, 7)).kind).toBe('1 publish')
    expect((await outcome(new Error('x'), rules, 6)).kind).toBe('1 publish')
  })

  it('has its own number of attempts at once, more or fewer than the others', async () => {
    const attemptsOf = async (code: 'UNAVAILABLE' | 'CONFLICT' | 'OVERLOADED') => {
      const handler = vi.fn(failing(new PosthasteError(code, 'no')))
      const errors: ErrorRule[] = [
        { when: 'UNAVAILABLE', retry: { immediate: 4 } },
        { when: 'CONFLICT', action: 'retry', retry: { immediate: 0 } },
      ]
      const { subscription, clock } = await ordered(handler, { errors, retry: { immediate: 2 } })
      subscription.deliver({ key: 'a', n: 1 })
      await clock.advance(1_000)
      expect(kinds(subscription.settlements)).toEqual(['1 retry'])
      return handler.mock.calls.length
    }
    expect(await attemptsOf('UNAVAILABLE')).toBe(5)
    expect(await attemptsOf('CONFLICT')).toBe(1)
    expect(await attemptsOf('OVERLOADED')).toBe(3)
  })

  it('makes no attempt at once of what it sends to the dead letters', async () => {
    const handler = vi.fn(failing(new PosthasteError('UNAVAILABLE', 'no')))
    const errors: ErrorRule[] = [{ when: 'UNAVAILABLE', action: 'dead-letter' }]
    const { subscription, clock } = await ordered(handler, { errors, retry: { immediate: 2 } })
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(1_000)
    expect(handler).toHaveBeenCalledOnce()
  })

  it('leaves a handler’s own wait alone', async () => {
    const rules: ErrorRule[] = [{ when: 'HANDLER_RETRY', retry: { immediate: 3, delayed: 9 } }]
    const { settlement, stats } = await outcome(retryLater('later', { afterMs: 5_000 }), rules)
    expect(settlement).toMatchObject({ visibleAtMs: expect.any(Number) })
    expect(stats.retried).toBe(1)
  })
})

describe('a target for dead letters', () => {
  const rules: ErrorRule[] = [
    { when: 'PAYLOAD_INVALID', deadLetterTo: 'malformed' },
    { when: 'UNAVAILABLE', deadLetterTo: 'stock' },
    { when: 'MESSAGE_EXPIRED', deadLetterTo: 'late' },
    { when: 'ATTEMPTS_EXHAUSTED', deadLetterTo: 'killers' },
  ]

  it('is declared at the start, beside the default', async () => {
    const { bus, engine } = scriptedRig()
    bus.on(Noted, { group: 'points', errors: [...rules, { when: 'CONFLICT', deadLetterTo: 'stock' }] }, () => {})
    await bus.start()
    const names = engine.topologies[0]!.channels.map(({ name }) => name).filter((name) => name.includes('dead'))
    expect(names.sort()).toEqual([
      'posthaste.dead.points.shop.noted',
      'posthaste.deadto.killers.points.shop.noted',
      'posthaste.deadto.late.points.shop.noted',
      'posthaste.deadto.malformed.points.shop.noted',
      'posthaste.deadto.stock.points.shop.noted',
    ])
  })

  it('takes what ends in the dead letters, however it gets there', async () => {
    const { bus, engine, clock } = scriptedRig()
    bus.on(Noted, { group: 'points', errors: rules, retry: { immediate: 0, delayed: 1 } }, ({ n }) => {
      throw n === 1 ? new PosthasteError('UNAVAILABLE', 'no') : new Error('x')
    })
    await bus.start()
    const record = { id: 'e', channel: 'shop.noted', headers: {}, body: new Uint8Array(0), expiresAtMs: 1 }
    engine.subscription.deliver(
      { n: 1, attempt: 1 },
      { n: 1, attempt: 2 },
      { n: 2, attempt: 2 },
      { body: '{"n":"x"}' },
      { record },
      { n: 1, attempt: 99 },
    )
    await clock.advance(0)
    const places = engine.subscription.settlements.map((one) => [
      one.tag,
      one.kind === 'ack' && one.publish?.[0]?.channel,
    ])
    expect(places.sort()).toEqual([
      [1, false],
      [2, 'posthaste.deadto.stock.points.shop.noted'],
      [3, 'posthaste.dead.points.shop.noted'],
      [4, 'posthaste.deadto.malformed.points.shop.noted'],
      [5, 'posthaste.deadto.late.points.shop.noted'],
      [6, 'posthaste.deadto.killers.points.shop.noted'],
    ])
  })

  it('is another queue of the same group on a real engine, and the default stays as it is', async () => {
    const { bus, clock } = await memoryRig()
    bus.on(Noted, { group: 'points', errors: [{ when: 'CONFLICT', deadLetterTo: 'conflicts' }] }, ({ n }) => {
      throw n === 1 ? new PosthasteError('CONFLICT', 'moved') : reject('no')
    })
    await bus.start()
    await bus.publish(Noted, { n: 1 })
    await bus.publish(Noted, { n: 2 })
    await clock.advance(0)
    expect((await bus.deadLetters(Noted, { group: 'points' }).browse()).letters).toMatchObject([
      { code: 'HANDLER_REJECTED' },
    ])
    const apart = await bus.deadLetters(Noted, { group: 'points', target: 'conflicts' }).browse()
    expect(apart.letters).toMatchObject([{ code: 'CONFLICT' }])
  })

  it('must leave the name of its channel short enough for engines', () => {
    const { bus } = scriptedRig()
    const group = 'g'.repeat(64)
    expect(() =>
      bus.on(Ordered, { group, errors: [{ when: 'CONFLICT', deadLetterTo: 't'.repeat(32) }] }, () => {}),
    ).not.toThrow()
    const Long = { ...Noted, type: `shop.${'x'.repeat(140)}` } as typeof Noted
    expect(() =>
      bus.on(Long, { group, errors: [{ when: 'CONFLICT', deadLetterTo: 't'.repeat(32) }] }, () => {}),
    ).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('240') }))
  })
})

describe('rules for errors that are wrong', () => {
  const wrong = (rule: unknown) => () => {
    scriptedRig().bus.on(Noted, { group: 'g', errors: [rule] as never }, () => {})
  }

  it.each<[string, unknown, string]>([
    ['no rule', 7, ''],
    ['no condition', { action: 'ignore' }, '.when'],
    ['a code that there is not', { when: 'NOPE', action: 'ignore' }, '.when'],
    ['no codes', { when: [], action: 'ignore' }, '.when'],
    ['another consequence', { when: 'CONFLICT', action: 'explode' }, '.action'],
    ['no consequence', { when: 'CONFLICT' }, '.action'],
    ['a target that is no name', { when: 'CONFLICT', deadLetterTo: 'a.b' }, '.deadLetterTo'],
    ['a target that is too long', { when: 'CONFLICT', deadLetterTo: 'x'.repeat(33) }, '.deadLetterTo'],
    ['a target for what is ignored', { when: 'CONFLICT', action: 'ignore', deadLetterTo: 'x' }, '.deadLetterTo'],
    ['a ladder for what is given up', { when: 'CONFLICT', action: 'dead-letter', retry: {} }, '.retry'],
    ['a ladder that is none', { when: 'CONFLICT', retry: { delayed: -1 } }, '.retry.delayed'],
    ['something unknown', { when: 'CONFLICT', action: 'ignore', colour: 'red' }, '.colour'],
  ])('are refused: %s', (_, rule, path) => {
    expect(wrong(rule)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: [expect.objectContaining({ path: `shop.noted.errors.0${path}` })],
      }),
    )
  })

  it('are refused where they are no list, or too many', () => {
    const rule: ErrorRule = { when: 'CONFLICT', action: 'ignore' }
    for (const errors of [rule, Array.from({ length: 101 }, () => rule)]) {
      const { bus } = scriptedRig()
      expect(() => bus.on(Noted, { group: 'g', errors: errors as never }, () => {})).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID' }),
      )
    }
  })
})
