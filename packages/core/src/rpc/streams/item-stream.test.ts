import { PosthasteError, type StreamSource } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { type ItemCheck, ItemStream, type ItemStreamInit, isStreamSource } from './item-stream.ts'

const gone = new PosthasteError('CANCELLED', 'gone')
const failureOf = (thrown: unknown): PosthasteError => PosthasteError.from(thrown, 'INTERNAL', 'a stream')
const reading = (source: StreamSource<unknown>, init: Partial<ItemStreamInit> = {}): ItemStream =>
  new ItemStream(source, { failureOf, ...init })

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

/** Whether a promise has resolved by now. */
async function has(promise: Promise<unknown>): Promise<boolean> {
  let is = false
  void promise.then(() => {
    is = true
  })
  await settled()
  return is
}

/** An iterator by hand, which generators cannot stand in for: it may lack `return`, or be busy when it is told to. */
function byHand(iterator: Partial<AsyncIterator<unknown>>): AsyncIterable<unknown> {
  return { [Symbol.asyncIterator]: () => iterator as AsyncIterator<unknown> }
}

describe('a stream that is read', () => {
  it.each([
    ['an array', [1, 2]],
    ['a set', new Set([1, 2])],
    ['an array of promises', [Promise.resolve(1), 2]],
  ])('may be %s', async (_, source) => {
    const stream = reading(source as Iterable<unknown>)
    const seen: unknown[] = []
    for await (const item of stream) seen.push(item)
    expect(seen).toEqual([1, 2])
    await stream.ended
  })

  it('is not touched before the first item is asked for', async () => {
    let asked = 0
    const stream = reading({
      [Symbol.asyncIterator]() {
        asked += 1
        return [1][Symbol.iterator]() as never
      },
    })
    expect([asked, stream.begun]).toEqual([0, false])
    await stream.next()
    expect([asked, stream.begun]).toEqual([1, true])
  })

  it('leaves items alone that have a method `then`', async () => {
    // biome-ignore lint/suspicious/noThenProperty: that is the point
    const item = { then: () => undefined }
    const source = byHand({ next: async () => ({ done: false, value: { item } }) })
    expect((await reading(source).next()).value).toEqual({ item })
  })

  it('passes its items through all checks in order, whether or not they take time', async () => {
    const checks: ItemCheck[] = [
      (item, index) => `${item}${index}`,
      async (item) => `${item}b`,
      (item) => `${item}c`,
      async (item) => `${item}d`,
    ]
    const stream = reading(['x', 'y'])
    for (const check of checks) stream.check(check)
    expect(await Promise.all([stream.next(), stream.next()])).toMatchObject([{ value: 'x0bcd' }, { value: 'y1bcd' }])
  })

  it.each(['at once', 'later'])('breaks off with an item that does not pass: %s', async (when) => {
    let left = 0
    const told: unknown[] = []
    const source = (function* () {
      try {
        yield* [1, 2, 3]
      } finally {
        left += 1
      }
    })()
    const stream = reading(source, { onFailure: (failure) => told.push(failure.code) })
    const refuse = (): never => {
      throw new PosthasteError('PAYLOAD_INVALID', 'two')
    }
    stream.check((item) => (item !== 2 ? item : when === 'later' ? Promise.resolve().then(refuse) : refuse()))
    const results = await Promise.allSettled([stream.next(), stream.next(), stream.next()])
    expect(results).toMatchObject([
      { value: { value: 1 } },
      { reason: { code: 'PAYLOAD_INVALID' } },
      { value: { done: true } },
    ])
    await stream.ended
    expect([left, told]).toEqual([1, ['PAYLOAD_INVALID']])
  })

  it.each([
    [
      'throws when asked',
      {
        next: () => {
          throw new Error('oops')
        },
      },
    ],
    ['rejects', { next: () => Promise.reject(new Error('oops')) }],
  ])('fails, and is over, where what is read %s', async (_, iterator) => {
    let returned = 0
    const stream = reading(
      byHand({
        ...iterator,
        async return() {
          returned += 1
          return { done: true, value: undefined }
        },
      }),
    )
    await expect(stream.next()).rejects.toMatchObject({ code: 'INTERNAL' })
    expect((await stream.next()).done).toBe(true)
    await stream.ended
    // What has failed has ended: nobody tells it to.
    expect(returned).toBe(0)
  })

  it('can be begun before it is read, and its first item is then there', async () => {
    const stream = reading([1, 2])
    expect(await stream.begin()).toBe(stream)
    expect(await stream.begin()).toBe(stream)
    expect(await stream.next()).toMatchObject({ value: 1 })
    expect(await stream.next()).toMatchObject({ value: 2 })
    const failing = reading(byHand({ next: () => Promise.reject(gone) }))
    await expect(failing.begin()).rejects.toBe(gone)
    await expect(failing.next()).rejects.toBe(gone)
    expect((await failing.next()).done).toBe(true)
  })
})

describe('the end of a stream that is read', () => {
  it('is a cancellation, told at once and once, after what was read before', async () => {
    const source = cancelSource()
    const stream = reading([1, 2], { cancellation: source.token })
    await stream.begin()
    source.cancel(gone)
    expect(await stream.next()).toMatchObject({ value: 1 })
    await expect(stream.next()).rejects.toBe(gone)
    expect((await stream.next()).done).toBe(true)
    expect(reading([1], { cancellation: source.token }).ended).toBeInstanceOf(Promise)
    await expect(reading([1], { cancellation: source.token }).next()).rejects.toBe(gone)
  })

  it('is for nobody once the reader has left, whatever it was', async () => {
    const stream = reading([1])
    stream.cancel(gone)
    await stream.return()
    expect((await stream.next()).done).toBe(true)
  })

  it('is none more after an end: neither leaving nor a cancellation changes it', async () => {
    const source = cancelSource()
    const told: string[] = []
    const stream = reading([], { cancellation: source.token, onLeft: () => told.push('left') })
    expect((await stream.next()).done).toBe(true)
    await stream.return()
    stream.cancel(gone)
    source.cancel(gone)
    expect((await stream.next()).done).toBe(true)
    expect(told).toEqual([])
  })

  it('answers whoever waits when the reader leaves, and tells of it before what is read', async () => {
    const told: string[] = []
    const stream = reading(
      byHand({
        next: () => new Promise(() => {}),
        async return() {
          told.push('returned')
          return { done: true, value: undefined }
        },
      }),
      { onLeft: () => told.push('left') },
    )
    const waiting = [stream.next(), stream.next()]
    await stream.return()
    expect((await Promise.all(waiting)).map(({ done }) => done)).toEqual([true, true])
    expect(told).toEqual(['left', 'returned'])
  })

  it('waits for what is read to be let go of, and for nothing longer', async () => {
    const returned = Promise.withResolvers<IteratorResult<unknown>>()
    const busy = reading(byHand({ next: () => new Promise(() => {}), return: () => returned.promise }))
    void busy.next()
    await busy.return()
    expect(await has(busy.ended)).toBe(false)
    returned.reject(new Error('oops'))
    expect(await has(busy.ended)).toBe(true)

    const asked = Promise.withResolvers<IteratorResult<unknown>>()
    const cannotReturn = reading(byHand({ next: () => asked.promise }))
    void cannotReturn.next()
    await cannotReturn.return()
    expect(await has(cannotReturn.ended)).toBe(false)
    asked.resolve({ done: false, value: 1 })
    expect(await has(cannotReturn.ended)).toBe(true)

    const throwing = reading(
      byHand({
        return: () => {
          throw new Error('oops')
        },
      }),
    )
    await throwing.return()
    expect(await has(throwing.ended)).toBe(true)
  })
})

describe('what a stream can be made of', () => {
  it('is all that can be iterated, except text', () => {
    const sources = [[], new Set(), (function* () {})(), (async function* () {})(), reading([])]
    expect(sources.every(isStreamSource)).toBe(true)
    expect([undefined, null, 7, 'text', {}, () => []].some(isStreamSource)).toBe(false)
  })
})
