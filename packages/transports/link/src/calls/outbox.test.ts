import { describe, expect, it } from 'vitest'
import { Outbox } from './outbox.ts'

const turns = async (): Promise<void> => {
  for (let n = 0; n < 20; n++) await Promise.resolve()
}

/** An outbox with credit for so many items, until `writable` is called. */
function rig(credit = Number.POSITIVE_INFINITY) {
  const sent: unknown[] = []
  const told: unknown[] = []
  let left = credit
  const outbox = new Outbox({
    send(item) {
      if (item === 'bad') throw new Error('bad item')
      sent.push(item)
      left -= 1
      return left > 0
    },
    finished: () => void told.push('finished'),
    broken: (thrown) => void told.push((thrown as Error).message),
  })
  const writable = (items: number): void => {
    left = items
    outbox.writable()
  }
  return { outbox, sent, told, writable }
}

/** Counts what is taken from it, and whether it was told to end. */
function numbers(upTo: number, failure?: Error) {
  const seen = { taken: 0, returned: false }
  async function* items(): AsyncGenerator<number> {
    try {
      for (let n = 1; n <= upTo; n++) {
        seen.taken = n
        yield n
      }
      if (failure) throw failure
    } finally {
      seen.returned = true
    }
  }
  return { seen, items: items() }
}

describe('an outbox', () => {
  it('sends all items and says so', async () => {
    const { outbox, sent, told } = rig()
    await outbox.run(numbers(3).items)
    expect(sent).toEqual([1, 2, 3])
    expect(told).toEqual(['finished'])
  })

  it('takes no more from the iteration than there is credit for', async () => {
    const { outbox, sent, writable } = rig(2)
    const { items, seen } = numbers(10)
    const run = outbox.run(items)
    await turns()
    expect([sent, seen.taken]).toEqual([[1, 2], 2])
    writable(3)
    await turns()
    expect([sent, seen.taken]).toEqual([[1, 2, 3, 4, 5], 5])
    writable(100)
    await run
    expect(sent).toHaveLength(10)
  })

  it('says what broke the iteration off, after the items before it', async () => {
    const { outbox, sent, told } = rig()
    await outbox.run(numbers(2, new Error('broken')).items)
    expect([sent, told]).toEqual([[1, 2], ['broken']])
  })

  it('ends the iteration at an item that cannot be sent', async () => {
    const { outbox, told } = rig()
    let returned = false
    async function* items(): AsyncGenerator<string> {
      try {
        yield 'bad'
        yield 'never'
      } finally {
        returned = true
      }
    }
    await outbox.run(items())
    expect([told, returned]).toEqual([['bad item'], true])
  })

  it('stops while it waits for credit, tells the iteration, and nobody else', async () => {
    const { outbox, sent, told, writable } = rig(1)
    const { items, seen } = numbers(10)
    const run = outbox.run(items)
    await turns()
    outbox.stop()
    await run
    writable(5)
    await turns()
    expect([sent, told, seen.returned]).toEqual([[1], [], true])
  })

  it('tells an iteration that it is not wanted if it was stopped before', async () => {
    const { outbox, sent } = rig()
    let returned = false
    outbox.stop()
    await outbox.run({
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new Error('was asked')),
        async return() {
          returned = true
          return { done: true, value: undefined }
        },
      }),
    })
    expect([sent, returned]).toEqual([[], true])
  })

  it('survives iterations that fail to begin or to end', async () => {
    const first = rig()
    await first.outbox.run({
      [Symbol.asyncIterator]() {
        throw new Error('no beginning')
      },
    })
    expect(first.told).toEqual(['no beginning'])
    const second = rig(1)
    const endless = { next: async () => ({ done: false as const, value: 1 }) }
    const run = second.outbox.run({
      [Symbol.asyncIterator]: () => ({ ...endless, return: () => Promise.reject(new Error('no end')) }),
    })
    await turns()
    second.outbox.stop()
    await run
    expect(second.told).toEqual([])
  })
})
