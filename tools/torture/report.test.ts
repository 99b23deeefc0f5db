import { describe, expect, it } from 'vitest'
import { followersOf } from './flows.ts'
import { type FaultKind, faultKinds } from './history.ts'
import { historyOf } from './merging.ts'
import { judge } from './report.ts'
import { faultyDeliveries, soundDeliveries } from './test/delivery-cases.ts'
import { confirmed, flow, handled, intent, type Lives, published, publishedTo, start } from './test/entries.ts'
import { faultyFeatures, soundFeatures } from './test/feature-cases.ts'

function kindsOf(...lives: Lives): FaultKind[] {
  return [...new Set(judge(historyOf(lives)).faults.map(({ kind }) => kind))]
}

describe('a history that keeps the guarantees', () => {
  it.each([...soundDeliveries, ...soundFeatures])('%s', (_what, ...lives) => {
    expect(judge(historyOf(lives as Lives)).faults).toEqual([])
  })
})

describe('a fault is found', () => {
  const faulty = [...faultyDeliveries, ...faultyFeatures]

  it.each(faulty)('%s: %s', (kind, _what, ...lives) => {
    expect(kindsOf(...(lives as Lives))).toContain(kind)
  })

  it('of every kind', () => {
    const proved = new Set(faulty.map(([kind]) => kind))
    expect(faultKinds.filter((kind) => !proved.has(kind))).toEqual([])
  })
})

describe('the verdict', () => {
  it('counts what was published, confirmed and handled', () => {
    const verdict = judge(historyOf([[...published('0-1'), intent('0-2'), ...handled('0-1')], handled('0-1', 2)]))
    expect(verdict).toMatchObject({ published: 2, confirmed: 1, unconfirmed: 1, received: 1, duplicates: 1 })
  })

  it('counts each group that loses a message', () => {
    const lost = judge(historyOf([[intent('0-1', { channel: 'torture.keyed' }), confirmed('0-1')]])).lost
    expect(lost).toBe(followersOf('torture.keyed').length)
  })

  it('counts both ends of a flow, and what was acknowledged and came again', () => {
    const twice = [...flow, flow.at(-1)!]
    expect(judge(historyOf([twice])).exactlyOnce).toEqual({
      upstream: 1,
      downstream: 1,
      doubled: 1,
      acknowledgedAgain: 0,
    })
    const again = [start('u-1', 2, { channel: 'torture.upstream', group: 'relay' })]
    expect(judge(historyOf([flow, again])).exactlyOnce).toMatchObject({ acknowledgedAgain: 1 })
  })

  it('counts how requests ended', () => {
    const asked = (id: string) => intent(id, { channel: 'torture.ask', key: undefined })
    const unanswered = (id: string, code: string) => ({ t: 'unanswered', id, code }) as const
    const codes = ['HANDLER_REJECTED', 'DEADLINE_EXCEEDED', 'CANCELLED']
    const entries = codes.flatMap((code, at) => [asked(`0-${at}`), unanswered(`0-${at}`, code)])
    const { requests } = judge(historyOf([[...entries, asked('0-9')]])).features
    expect(requests).toEqual({ sent: 4, answered: 0, failed: 1, timedOut: 1, cancelled: 1, open: 1 })
  })

  it('counts what each feature did', () => {
    const replay = { channel: 'torture.replayed', group: 'replay' }
    const verdict = judge(
      historyOf([
        [
          ...publishedTo('torture.once', '0-1'),
          ...handled('0-1', 1, { channel: 'torture.once', group: 'once', key: undefined }),
          { t: 'seeking', ...replay, toMs: 0 },
          { t: 'sought', ...replay, retained: [] },
          { t: 'paused', channel: 'torture.work', group: 'handler' },
          { t: 'temporary', count: 3 },
        ],
      ]),
    )
    expect(verdict.atMostOnce).toEqual({ handled: 1, missed: 0 })
    expect(verdict.features).toMatchObject({ seeks: 1, pauses: 1, temporaryGroups: 3, ticks: 0 })
  })
})
