import { type Outcome, PosthasteError, succeeded } from '@posthaste/contracts'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { Batcher, type Verdicts } from './batcher.ts'
import { batchMax } from './features.ts'
import { type Packer, Unpacker } from './wire.ts'

const refused: Outcome = { ok: false, error: new PosthasteError('INVALID_ARGUMENT', 'negative') }

/** A batcher of numbers; what it sends waits to be answered. */
function rig(underWayMax = 1) {
  const sent: { readonly items: number[]; answer(verdicts: Verdicts<number>): void; fail(error: unknown): void }[] = []
  const batcher = new Batcher<number>({
    ...{ clock: manualClock(), timeoutMs: 1_000, underWayMax },
    pack(packer: Packer, item) {
      if (item < 0) return refused
      packer.number(item)
      return undefined
    },
    send(count, packed) {
      const reader = new Unpacker(packed)
      const { promise, resolve, reject } = Promise.withResolvers<Verdicts<number>>()
      sent.push({ items: Array.from({ length: count }, () => reader.number()), answer: resolve, fail: reject })
      return promise
    },
  })
  return { batcher, sent }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('a batcher', () => {
  it('sends what comes in one turn together, and what comes meanwhile with the next', async () => {
    const { batcher, sent } = rig()
    const first = Promise.all([batcher.add([1, 2]), batcher.add([3])])
    await turn()
    const later = Promise.all([batcher.add([4]), batcher.add([5, 6])])
    await turn()
    expect(sent.map(({ items }) => items)).toEqual([[1, 2, 3]])
    sent[0]?.answer(() => succeeded)
    expect((await first).map(({ length }) => length)).toEqual([2, 1])
    await turn()
    expect(sent[1]?.items).toEqual([4, 5, 6])
    sent[1]?.answer(() => succeeded)
    await later
  })

  it('has no more under way than it may', async () => {
    const { batcher, sent } = rig(2)
    for (let at = 0; at < 4; at += 1) {
      void batcher.add([at])
      await turn()
    }
    expect(sent.map(({ items }) => items)).toEqual([[0], [1]])
  })

  it('does not send what is refused, and puts each outcome in its place', async () => {
    const { batcher, sent } = rig()
    const outcomes = batcher.add([1, -1, 2, -2, 3])
    await turn()
    const failure: Outcome = { ok: false, error: new PosthasteError('NOT_FOUND', 'two') }
    sent[0]?.answer((item) => (item === 2 ? failure : succeeded))
    expect(await outcomes).toEqual([succeeded, refused, failure, refused, succeeded])
  })

  it('answers at once where all is refused', async () => {
    const { batcher, sent } = rig()
    expect(await batcher.add([-1, -2])).toEqual([refused, refused])
    expect(await batcher.add([])).toEqual([])
    expect(sent).toEqual([])
    await batcher.close()
  })

  it('splits what is too much for one batch, in order', async () => {
    const { batcher, sent } = rig()
    const items = Array.from({ length: 2 * batchMax + 5 }, (_, at) => at % 100)
    const outcomes = batcher.add(items)
    for (let at = 0; at < 3; at += 1) {
      await turn()
      sent[at]?.answer(() => succeeded)
    }
    expect(await outcomes).toHaveLength(items.length)
    expect(sent.map((batch) => batch.items.length)).toEqual([batchMax, batchMax, 5])
    expect(sent.flatMap((batch) => batch.items)).toEqual(items)
  })

  it('tells everybody in a batch that it failed, and goes on', async () => {
    const { batcher, sent } = rig()
    const first = batcher.add([1])
    await turn()
    const second = batcher.add([2])
    sent[0]?.fail(new Error('cut'))
    const [outcome] = await first
    expect(outcome).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE' } })
    await turn()
    sent[1]?.answer(() => succeeded)
    expect(await second).toEqual([succeeded])
  })

  it('answers what it has taken before it is closed, and takes nothing more', async () => {
    const { batcher, sent } = rig()
    const outcomes = batcher.add([1])
    let isClosed = false
    const closing = batcher.close().then(() => {
      isClosed = true
    })
    await turn()
    await expect(batcher.add([2])).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    expect(isClosed).toBe(false)
    sent[0]?.answer(() => succeeded)
    expect(await outcomes).toEqual([succeeded])
    await closing
  })
})
