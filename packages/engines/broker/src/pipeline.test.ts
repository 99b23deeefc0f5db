import { type Outcome, PosthasteError, succeeded } from '@posthaste/contracts'
import fc from 'fast-check'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { Pipeline } from './pipeline.ts'

const failure: Outcome = { ok: false, error: new PosthasteError('NOT_FOUND', 'no such place') }

/** A pipeline of numbers, whose other side a test plays. */
function rig({ underWayMax = 2, refused = [] as readonly number[], settles = false } = {}) {
  const clock = manualClock()
  const sent: { number: number; items: readonly number[] }[] = []
  let [packed, number]: [number[], number] = [[], 0]
  const told: (readonly [item: number, ok: boolean, repeated: boolean])[] = []
  const pipeline = new Pipeline<number>({
    ...{ clock, timeoutMs: 1_000, underWayMax },
    refuse: (item) => (refused.includes(item) ? failure : undefined),
    begin(which) {
      packed = []
      number = which
    },
    pack: (item) => void packed.push(item),
    packedBytes: () => packed.length,
    send() {
      sent.push({ number, items: packed })
      return true
    },
    ...(settles && {
      settled(item: number, outcome: Outcome, repeated: boolean) {
        told.push([item, outcome.ok, repeated])
        return outcome
      },
    }),
  })
  return { clock, sent, told, pipeline, items: () => sent.map(({ items }) => items) }
}

const well: ReadonlyMap<number, Outcome> = new Map()
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('a pipeline', () => {
  it('sends what comes in one turn together, and so many batches at a time', async () => {
    const { pipeline, items } = rig()
    pipeline.attach(0)
    const first = [pipeline.add([1]), pipeline.add([2, 3])]
    await turn()
    void pipeline.add([4])
    await turn()
    void pipeline.add([5])
    await turn()
    expect(items()).toEqual([[1, 2, 3], [4]])
    pipeline.answered(well)
    expect(await Promise.all(first)).toEqual([[succeeded], [succeeded, succeeded]])
    await turn()
    expect(items()).toEqual([[1, 2, 3], [4], [5]])
  })

  it('sends much at once, behind what waits, so that the other side works while more is made', () => {
    const { pipeline, items } = rig()
    pipeline.attach(0)
    void pipeline.add([0])
    expect(items()).toEqual([])
    const much = Array.from({ length: 256 }, (_, at) => at + 1)
    void pipeline.add(much)
    expect(items()).toEqual([[0, ...much]])
  })

  it('answers each item: those that are refused are not even sent', async () => {
    const { pipeline, items } = rig({ refused: [2] })
    pipeline.attach(0)
    const answer = pipeline.add([1, 2, 3])
    await turn()
    expect(items()).toEqual([[1, 3]])
    pipeline.answered(new Map([[1, failure]]))
    expect((await answer).map(({ ok }) => ok)).toEqual([true, false, false])
  })

  it('sends again what the other side does not have, under the same numbers', async () => {
    const { pipeline, sent } = rig({ underWayMax: 8 })
    pipeline.attach(0)
    for (const item of [1, 2, 3]) {
      void pipeline.add([item])
      await turn()
    }
    pipeline.answered(well)
    pipeline.detach()
    void pipeline.add([4])
    await turn()
    sent.length = 0
    pipeline.attach(2)
    await turn()
    expect(sent).toEqual([
      { number: 3, items: [3] },
      { number: 4, items: [4] },
    ])
  })

  it('gives up what was sent where the other side knows nothing, and sends what was not', async () => {
    const { pipeline, sent } = rig({ underWayMax: 2 })
    pipeline.attach(0)
    const answers = []
    for (const item of [1, 2, 3]) {
      answers.push(pipeline.add([item]))
      await turn()
    }
    pipeline.answered(well)
    await turn()
    answers.push(pipeline.add([4]))
    pipeline.restart(failure)
    sent.length = 0
    pipeline.attach(0)
    await turn()
    expect(sent).toEqual([{ number: 1, items: [4] }])
    pipeline.answered(well)
    expect((await Promise.all(answers)).flat().map(({ ok }) => ok)).toEqual([true, false, false, true])
  })

  it('sends again what the other side has not taken before it stopped, in its order and as if it had not been sent', async () => {
    const { pipeline, sent } = rig({ underWayMax: 2 })
    pipeline.attach(0)
    const answers = []
    for (const item of [1, 2, 3]) {
      answers.push(pipeline.add([item]))
      await turn()
    }
    pipeline.answered(well)
    await turn()
    pipeline.returned()
    pipeline.restart(failure)
    sent.length = 0
    pipeline.attach(0)
    await turn()
    expect(sent).toEqual([{ number: 1, items: [2, 3] }])
    pipeline.answered(well)
    expect(await Promise.all(answers)).toEqual([[succeeded], [succeeded], [succeeded]])
  })

  it('tells whether an outcome is of a repetition', async () => {
    const { pipeline, told } = rig({ settles: true })
    pipeline.attach(0)
    void pipeline.add([1])
    await turn()
    pipeline.detach()
    pipeline.attach(0)
    pipeline.answered(well)
    void pipeline.add([2])
    await turn()
    pipeline.answered(new Map([[0, failure]]))
    expect(told).toEqual([
      [1, true, true],
      [2, false, false],
    ])
  })

  it('answers within its time limit, with or without a connection, and sends nothing of that later', async () => {
    const { pipeline, clock, items } = rig()
    const waiting = pipeline.add([1])
    await clock.advance(1_000)
    expect((await waiting)[0]).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE' } })
    pipeline.attach(0)
    void pipeline.add([2])
    await turn()
    expect(items()).toEqual([[2]])
    await expect(pipeline.add([])).resolves.toEqual([])
  })

  it('has ended when all is answered, or given up', async () => {
    const { pipeline } = rig()
    pipeline.attach(0)
    const answer = pipeline.add([1])
    await turn()
    let isIdle = false
    const idle = pipeline.idle().then(() => {
      isIdle = true
    })
    await turn()
    expect(isIdle).toBe(false)
    pipeline.fail(failure)
    await idle
    expect(await answer).toEqual([failure])
  })

  it('answers everything once and keeps the order, whatever happens to the connection', async () => {
    const steps = fc.array(fc.constantFrom('add', 'answer', 'drop', 'restart', 'stop', 'turn'), { maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const { pipeline, sent } = rig({ underWayMax: 3 })
        const server: number[][] = []
        let [seen, next, answered] = [0, 0, 0]
        const answers: Promise<readonly Outcome[]>[] = []
        const taken: number[] = []
        const read = () => {
          for (const { number, items } of sent.slice(seen)) if (number === server.length + 1) server.push([...items])
          seen = sent.length
        }
        pipeline.attach(0)
        for (const step of [...list, 'end'] as const) {
          if (step === 'add') answers.push(pipeline.add([next++]))
          if (step === 'turn') await turn()
          read()
          if (step === 'answer' && answered < server.length) {
            answered += 1
            pipeline.answered(well)
          }
          if (step === 'drop') {
            pipeline.detach()
            pipeline.attach(server.length)
          }
          if (step === 'stop') {
            for (; answered < server.length; answered++) pipeline.answered(well)
            pipeline.returned()
          }
          if (step === 'restart' || step === 'stop') {
            pipeline.restart(failure)
            taken.push(...server.flat())
            server.length = 0
            answered = 0
            pipeline.attach(0)
          }
        }
        for (let rounds = 0; rounds < 100 && answers.length > 0; rounds++) {
          await turn()
          read()
          for (; answered < server.length; answered++) pipeline.answered(well)
        }
        const outcomes = (await Promise.all(answers)).flat()
        expect(outcomes).toHaveLength(next)
        if (!list.includes('restart')) expect(outcomes).toEqual(new Array(next).fill(succeeded))
        taken.push(...server.flat())
        expect(taken).toEqual([...new Set(taken)])
        const order = sent.flatMap(({ items }) => items)
        const firsts = order.filter((item, at) => order.indexOf(item) === at)
        expect(firsts).toEqual([...firsts].sort((a, b) => a - b))
      }),
      { numRuns: 60 },
    )
  })
})
