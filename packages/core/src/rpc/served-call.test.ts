import { PosthasteError, type Service } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../testing/manual-clock.ts'
import { ServedCall } from './served-call.ts'

/** A call whose stack is `run`, and a sink that writes down what it is told. */
function called(run: Service) {
  const told: unknown[] = []
  const call = new ServedCall(
    { payload: 1, headers: {} },
    { target: 'shop.Work/one', idempotent: false, run },
    { clock: manualClock(), newId: () => 'r1' },
  )
  const sink = {
    answered: (output: unknown) => void told.push(output),
    unanswered: ({ code }: PosthasteError) => void told.push(code),
  }
  return { call, told, sink }
}

const conflict = new PosthasteError('CONFLICT', 'sold out')
const gone = new PosthasteError('CANCELLED', 'gone')
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('A served call', () => {
  it.each<[string, Service, unknown]>([
    ['an answer', () => 7, 7],
    [
      'a failure',
      () => {
        throw conflict
      },
      'CONFLICT',
    ],
  ])('tells %s that is there at once', (_, run, expected) => {
    const { call, told, sink } = called(run)
    call.tell(sink)
    expect(told).toEqual([expected])
  })

  it.each<[string, Service, unknown]>([
    ['an answer', async () => 7, 7],
    ['a failure', () => Promise.reject(conflict), 'CONFLICT'],
  ])('tells %s when it comes', async (_, run, expected) => {
    const { call, told, sink } = called(run)
    call.tell(sink)
    expect(told).toEqual([])
    await turn()
    expect(told).toEqual([expected])
  })

  it('that is cancelled tells why at once, and nothing else later', async () => {
    const { call, told, sink } = called(async () => 7)
    call.tell(sink)
    call.cancel(gone)
    expect(told).toEqual(['CANCELLED'])
    await turn()
    expect(told).toEqual(['CANCELLED'])
  })

  it('has one promise of its result, however often one asks, made late or early', async () => {
    const { call } = called(async () => 7)
    const { result } = call
    expect(call.result).toBe(result)
    expect(await result).toBe(7)
    const late = called(() => Promise.reject(conflict)).call
    await turn()
    await expect(late.result).rejects.toBe(conflict)
  })
})
