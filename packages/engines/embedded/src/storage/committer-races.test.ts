import fc from 'fast-check'
import { type ManualClock, manualClock } from 'posthaste/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Committer, type Participant } from './committer.ts'
import type { Transaction } from './store.ts'

/** The end of a turn of the event loop, and what it scheduled. */
const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))

/** A store whose transactions end when the test says so. */
class HeldStore {
  /** What each transaction wrote, by name of the participant. */
  readonly transactions: string[][] = []
  #running: { resolve: () => void; reject: (cause: unknown) => void } | undefined

  get isWriting(): boolean {
    return this.#running !== undefined
  }

  async commit(change: (tx: Transaction) => void): Promise<void> {
    if (this.#running !== undefined) throw new Error('two transactions at a time')
    const written: string[] = []
    this.transactions.push(written)
    change({ put: (_, key) => void written.push(String(key)), remove: () => {} })
    await new Promise<void>((resolve, reject) => {
      this.#running = { resolve, reject }
    })
  }

  /** Ends the transaction and lets whoever waits for it go on. */
  async end(failure?: unknown): Promise<void> {
    const running = this.#running
    this.#running = undefined
    if (failure === undefined) running?.resolve()
    else running?.reject(failure)
    await turn()
  }
}

let store: HeldStore
let told: string[]
let committer: Committer
let clock: ManualClock

function participant(name: string): Participant {
  return {
    write: (tx) => tx.put('meta', Buffer.from(name), Buffer.alloc(0)),
    committed: () => void told.push(`committed ${name}`),
  }
}

function wait(name: string, records = 0): void {
  committer.wait((failure) => told.push(failure === undefined ? `told ${name}` : `${name}: ${failure.code}`), records)
}

const onUnhandled = (): void => void told.push('unhandled')

beforeEach(() => {
  store = new HeldStore()
  told = []
  clock = manualClock()
  committer = new Committer(store, (failure) => told.push(`failed ${failure.code}`), clock.setTimer)
  process.on('unhandledRejection', onUnhandled)
})

afterEach(() => void process.off('unhandledRejection', onUnhandled))

describe('the committer under races', () => {
  it('tells participants in the order of joining, and then those who wait, once it is durable', async () => {
    wait('early')
    committer.join(participant('a'))
    committer.join(participant('b'))
    wait('late')
    await turn()
    expect(told).toEqual([])
    await store.end()
    expect(told).toEqual(['committed a', 'committed b', 'told early', 'told late'])
  })

  it('is idle when nobody has anything to write', async () => {
    committer.join(participant('a'))
    await turn()
    await store.end()
    await turn()
    expect([store.transactions.length, clock.pending()]).toEqual([1, 0])
  })

  it('puts what a participant joins when it is told into the next transaction', async () => {
    const b = participant('b')
    committer.join({ write: () => {}, committed: () => committer.join(b) })
    await turn()
    await store.end()
    await turn()
    expect(store.transactions).toEqual([[], ['b']])
  })

  it('begins within the turn once 512 records wait, and not with one less', async () => {
    committer.join(participant('a'))
    wait('many', 511)
    expect(store.isWriting).toBe(false)
    wait('one', 1)
    expect(store.isWriting).toBe(true)
    wait('more', 10_000)
    await store.end()
    expect(told).toEqual(['committed a', 'told many', 'told one'])
    await store.end()
    wait('few', 511)
    expect(store.isWriting).toBe(false)
    await turn()
    expect(store.isWriting).toBe(true)
  })

  it('never tells anybody before what joined earlier is durable, and everybody once and in order', async () => {
    const step = fc.constantFrom('join', 'wait', 'many', 'turn', 'end')
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const held = new HeldStore()
        const subject = new Committer(held, () => {}, clock.setTimer)
        const durable = new Set<number>()
        const answers: { waiter: number; isEarly: boolean }[] = []
        let joined = 0
        let waiting = 0
        const ask = (records: number): void => {
          const [before, waiter] = [joined, waiting++]
          const all = Array.from({ length: before }, (_, number) => number)
          subject.wait((failure) => {
            answers.push({ waiter, isEarly: failure !== undefined || all.some((number) => !durable.has(number)) })
          }, records)
        }
        const join = (number: number): void =>
          subject.join({ write: () => {}, committed: () => void durable.add(number) })
        for (const each of steps) {
          if (each === 'join') join(joined++)
          else if (each === 'wait') ask(1)
          else if (each === 'many') ask(600)
          else if (each === 'turn') await turn()
          else await held.end()
        }
        // Each turn tells a portion.
        for (let rest = 0; rest < 4 + waiting; rest++) await held.end()
        expect(answers).toEqual(Array.from({ length: waiting }, (_, waiter) => ({ waiter, isEarly: false })))
        expect(durable.size).toBe(joined)
      }),
      { numRuns: 60 },
    )
  })

  it('tells hundreds of thousands who wait for one transaction', async () => {
    const everybody = 300_000
    let told = 0
    for (let waiter = 0; waiter < everybody; waiter++) committer.wait(() => void told++)
    await turn()
    await store.end()
    expect(told).toBe(everybody)
  })

  it('leaves neither a timer nor an unhandled rejection behind a write that fails', async () => {
    committer.join(participant('a'))
    wait('w')
    await turn()
    wait('meanwhile')
    expect(clock.pending()).toBe(1)
    await store.end(new Error('ENOSPC'))
    await turn()
    expect(told).toEqual(['failed', 'w:', 'meanwhile:'].map((who) => `${who} ENGINE_WRITE_FAILED`))
    expect(clock.pending()).toBe(0)
  })

  it.each([undefined, new Error('EIO')])('hears nothing of an answer that comes too late', async (answer) => {
    committer.join(participant('a'))
    wait('w')
    await turn()
    for (let second = 0; second < 30; second++) {
      await clock.advance(1_000)
      await turn()
      await turn()
    }
    await store.end(answer)
    await turn()
    expect(told).toEqual(['failed ENGINE_WRITE_FAILED', 'w: ENGINE_WRITE_FAILED'])
    expect(clock.pending()).toBe(0)
  })
})

describe('a committer that is closed', () => {
  it('begins no transaction any more, and says so to whoever waits for one', async () => {
    committer.join(participant('a'))
    wait('before')
    committer.close()
    wait('after')
    await turn()
    expect(store.transactions).toEqual([])
    expect(told).toEqual(['before: ENGINE_CLOSED', 'after: ENGINE_CLOSED'])
  })

  it('while the last transaction is written, keeps what that has promised', async () => {
    committer.join(participant('a'))
    wait('in it')
    await turn()
    wait('behind it')
    committer.close()
    await store.end()
    await turn()
    expect(store.transactions).toEqual([['a']])
    expect(told).toEqual(['behind it: ENGINE_CLOSED', 'committed a', 'told in it'])
  })

  it('keeps the error of a write that failed before', async () => {
    wait('w')
    await turn()
    await store.end(new Error('ENOSPC'))
    committer.close()
    expect(committer.failure?.code).toBe('ENGINE_WRITE_FAILED')
  })
})
