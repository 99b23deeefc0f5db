import { describe, expect, it } from 'vitest'
import { type Beginning, Ledger } from './ledger.ts'

const none = new Set<string>()

/** A run of the first message of a key, with some things changed. */
function beginning(change: Partial<Beginning> = {}): Beginning {
  return { id: 'a', key: 'k', n: 0, attempt: 1, by: 'one', signal: new AbortController().signal, ...change }
}

function published(...ids: readonly string[]): Ledger {
  const ledger = new Ledger({ copies: true })
  for (const id of ids) {
    ledger.publishing(id)
    ledger.confirmed(id)
  }
  return ledger
}

describe('Ledger', () => {
  it('misses what was confirmed and neither handled nor kept as a dead letter', () => {
    const ledger = published('a', 'b', 'c', 'd')
    ledger.publishing('unconfirmed')
    ledger.began(beginning({ id: 'a' })).ended('done')
    ledger.began(beginning({ id: 'b' })).ended('failed')
    expect(ledger.verdict(new Set(['c']))).toMatchObject({ confirmed: 4, lost: ['b', 'd'], deadLetters: 1, handled: 1 })
  })

  it('counts what was handled again, and what was published again', () => {
    const ledger = published('a', 'a')
    for (let times = 0; times < 3; times += 1) ledger.began(beginning()).ended('done')
    expect(ledger.verdict(none)).toMatchObject({ confirmed: 1, duplicates: 2, republished: 1 })
  })

  it('sees a first run after that of a later one of its key, and no repetition as one', () => {
    const ledger = published('a', 'b', 'c')
    ledger.began(beginning({ id: 'b', n: 1 })).ended('done')
    ledger.began(beginning({ id: 'c', n: 0, key: 'other' })).ended('done')
    expect(ledger.verdict(none).orderViolations).toEqual([])
    ledger.began(beginning({ id: 'a', n: 0 })).ended('done')
    ledger.began(beginning({ id: 'a', n: 0 })).ended('done')
    expect(ledger.verdict(none).orderViolations).toEqual(['a: 0 of k after 1'])
  })

  it('sees an attempt that comes again, and one that goes back, unless the message stands twice', () => {
    const ledger = published('a', 'b')
    for (const attempt of [1, 2, 2, 1]) ledger.began(beginning({ attempt })).ended('failed')
    ledger.publishing('b')
    for (const attempt of [1, 1]) ledger.began(beginning({ id: 'b', attempt })).ended('failed')
    expect(ledger.verdict(none)).toMatchObject({ attemptsRepeated: 1, attemptsReset: ['a: 1 after 2'] })
  })

  it('sees no repetition where the engine sent again what had no answer, and all of them in what had one', () => {
    const ledger = published('a')
    ledger.publishing('b')
    ledger.resent()
    ledger.confirmed('b')
    ledger.publishing('c')
    for (const id of ['a', 'b', 'c'])
      for (const attempt of [2, 1]) {
        ledger.began(beginning({ id, attempt })).ended('failed')
        ledger.began(beginning({ id, attempt }))
        ledger.began(beginning({ id, attempt }))
      }
    const { twiceAtOnce, attemptsReset } = ledger.verdict(none)
    expect(new Set(twiceAtOnce)).toEqual(new Set(['a', 'c']))
    expect(new Set(attemptsReset)).toEqual(new Set(['a: 1 after 2', 'c: 1 after 2']))
  })

  it('takes a lower attempt for the original of a copy where the engine copies, and only without a key', () => {
    const judged = (copies: boolean, key: string | undefined) => {
      const ledger = new Ledger({ copies })
      ledger.publishing('a')
      for (const attempt of [1, 2, 3, 2]) ledger.began(beginning({ attempt, key })).ended('failed')
      return ledger.verdict(none)
    }
    expect(judged(true, undefined)).toMatchObject({ attemptsRepeated: 1, attemptsReset: [] })
    expect(judged(true, 'k').attemptsReset).toEqual(['a: 2 after 3'])
    expect(judged(false, undefined).attemptsReset).toEqual(['a: 2 after 3'])
  })

  it('lets an attempt come again that was taken away', () => {
    const ledger = published('a')
    for (const how of ['aborted', 'failed'] as const) ledger.began(beginning()).ended(how)
    expect(ledger.verdict(none).attemptsReset).toEqual([])
  })

  it('sees a message with one member twice, and not one that was told to stop', () => {
    const ledger = published('a')
    const stop = new AbortController()
    const first = ledger.began(beginning({ signal: stop.signal }))
    ledger.began(beginning({ by: 'two' })).ended('done')
    expect(ledger.verdict(none).twiceAtOnce).toEqual([])
    stop.abort()
    const second = ledger.began(beginning())
    expect(ledger.verdict(none).twiceAtOnce).toEqual([])
    ledger.began(beginning()).ended('done')
    expect(ledger.verdict(none).twiceAtOnce).toEqual(['a'])
    ledger.began(beginning({ id: 'b', key: undefined })).ended('failed')
    for (let copies = 0; copies < 2; copies += 1) ledger.began(beginning({ id: 'b', key: undefined, attempt: 2 }))
    for (const each of [first, second]) each.ended('aborted')
    ledger.publishing('a')
    ledger.began(beginning())
    ledger.began(beginning()).ended('done')
    expect(ledger.verdict(none).twiceAtOnce).toEqual(['a'])
  })
})
