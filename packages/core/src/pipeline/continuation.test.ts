import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Continuation, continueWith } from './continuation.ts'

/** Remembers what it is told, and leaves outcomes as they are. */
function recording() {
  const told: unknown[] = []
  const continuation: Continuation<unknown> = {
    succeeded(value, token) {
      told.push(['succeeded', value, token])
      return value
    },
    failed(thrown, token) {
      told.push(['failed', thrown, token])
      throw thrown
    },
  }
  return { told, continuation }
}

const fault = new Error('a fault')

describe('a continuation', () => {
  it('is told of a value with its token, and passes it on', async () => {
    const { told, continuation } = recording()
    await expect(continueWith(Promise.resolve(7), continuation, 'a')).resolves.toBe(7)
    expect(told).toEqual([['succeeded', 7, 'a']])
  })

  it('is told of a rejection with its token, and passes it on', async () => {
    const { told, continuation } = recording()
    await expect(continueWith(Promise.reject(fault), continuation, 'a')).rejects.toBe(fault)
    expect(told).toEqual([['failed', fault, 'a']])
  })

  it('may put another outcome in the place of the one it was told of', async () => {
    const turned: Continuation<number> = {
      succeeded() {
        throw fault
      },
      failed: (_, token) => Promise.resolve(token),
    }
    await expect(continueWith(Promise.resolve(7), turned, 1)).rejects.toBe(fault)
    await expect(continueWith<unknown, number>(Promise.reject(fault), turned, 1)).resolves.toBe(1)
  })

  it('may follow another promise while it is told of one', async () => {
    const { told, continuation } = recording()
    const again: Continuation<string> = {
      succeeded: (value) => value,
      failed: () => continueWith(Promise.resolve('second'), continuation, 'inner'),
    }
    await expect(continueWith<unknown, string>(Promise.reject(fault), again, 'outer')).resolves.toBe('second')
    expect(told).toEqual([['succeeded', 'second', 'inner']])
  })

  it('is told once by a thenable that calls back twice, and by a promise whose `then` was replaced', async () => {
    const { told, continuation } = recording()
    const twice = (resolve: (value: number) => void, reject: (thrown: unknown) => void): void => {
      resolve(1)
      resolve(2)
      reject(fault)
    }
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested
    await continueWith({ then: twice } as unknown as PromiseLike<number>, continuation, 'thenable')
    // biome-ignore lint/suspicious/noThenProperty: a replaced one is what is tested
    await continueWith(Object.assign(Promise.resolve(3), { then: twice }), continuation, 'replaced')
    expect(told).toEqual([
      ['succeeded', 1, 'thenable'],
      ['succeeded', 3, 'replaced'],
    ])
  })

  it('never takes one call for another, in whatever order calls begin and end, and whether or not they end', async () => {
    const step = fc.record({ begin: fc.boolean(), which: fc.nat(), how: fc.constantFrom('resolve', 'reject', 'never') })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { told, continuation } = recording()
        const running: { readonly id: number; readonly end: PromiseWithResolvers<number> }[] = []
        const expected: unknown[] = []
        for (const [id, { begin, which, how }] of steps.entries()) {
          if (begin || running.length === 0) {
            const end = Promise.withResolvers<number>()
            running.push({ id, end })
            continueWith(end.promise, continuation, id).catch(() => undefined)
            continue
          }
          const [ended] = running.splice(which % running.length, 1)
          if (ended === undefined || how === 'never') continue
          if (how === 'resolve') ended.end.resolve(ended.id)
          else ended.end.reject(ended.id)
          expected.push([how === 'resolve' ? 'succeeded' : 'failed', ended.id, ended.id])
          if (which % 3 === 0) await new Promise(setImmediate)
        }
        await new Promise(setImmediate)
        expect(told).toEqual(expected)
      }),
      { numRuns: 200 },
    )
  })
})
