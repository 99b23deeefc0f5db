import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Circuit, type CircuitSettings, type CircuitState, type Outcome } from './circuit.ts'

const settings: CircuitSettings = {
  failurePercent: 50,
  slowPercent: 100,
  callsMin: 4,
  windowMs: 10_000,
  windowCalls: undefined,
  openMs: 5_000,
  openMsMax: 60_000,
  probes: 3,
  probeWaitMs: 10_000,
  rampMs: 0,
}

/** Half of the range: no jitter. */
const noJitter = (): number => 0.5

function setUp(change: Partial<CircuitSettings> = {}, random = noJitter) {
  const moves: string[] = []
  const circuit = new Circuit('t', {
    settings: { ...settings, ...change },
    random,
    epochs: { last: 0 },
    moved: ({ state: to }, from) => void moves.push(`${from.kind} → ${to.kind}`),
  })
  const run = (outcome: Outcome, nowMs: number): boolean => {
    const epoch = circuit.admit(nowMs)
    if (epoch !== undefined) circuit.record(epoch, outcome, nowMs)
    return epoch !== undefined
  }
  const open = (nowMs: number): void => {
    while (run('failure', nowMs));
  }
  return { circuit, moves, run, open }
}

const kindOf = (circuit: Circuit): CircuitState['kind'] => circuit.state.kind

describe('a closed circuit', () => {
  it('opens at its failure rate, once there were enough calls', () => {
    const { circuit, run } = setUp()
    for (const outcome of ['failure', 'failure', 'failure'] as const) run(outcome, 0)
    expect(kindOf(circuit)).toBe('closed')
    run('success', 0)
    expect(kindOf(circuit)).toBe('open')
  })

  it('stays closed below its failure rate', () => {
    const { circuit, run } = setUp()
    for (let i = 0; i < 100; i++) {
      for (const outcome of ['success', 'success', 'failure'] as const) run(outcome, i)
    }
    expect(kindOf(circuit)).toBe('closed')
  })

  it('opens at its rate of slow calls, whether they failed or not', () => {
    const { circuit, run } = setUp({ slowPercent: 75 })
    for (const outcome of ['slowSuccess', 'slowFailure', 'success', 'slowSuccess'] as const) run(outcome, 0)
    expect(kindOf(circuit)).toBe('open')
  })

  it('forgets failures of an hour ago, however few calls came since', () => {
    const { circuit, run } = setUp()
    for (const outcome of ['failure', 'failure', 'failure'] as const) run(outcome, 0)
    run('failure', 3_600_000)
    expect(kindOf(circuit)).toBe('closed')
    expect(circuit.counts(3_600_000)).toEqual({ calls: 1, failures: 1, slow: 0 })
  })

  it('does not count neutral outcomes', () => {
    const { circuit, run } = setUp()
    for (let i = 0; i < 100; i++) run('neutral', 0)
    for (let i = 0; i < 3; i++) run('failure', 0)
    expect(kindOf(circuit)).toBe('closed')
    expect(circuit.counts(0)).toEqual({ calls: 3, failures: 3, slow: 0 })
  })
})

describe('an open circuit', () => {
  it('refuses until its time is over, and says how long that is', () => {
    const { circuit, run, open } = setUp()
    open(0)
    expect(circuit.notReadyForMs(1_000)).toBe(4_000)
    expect(run('success', 4_999)).toBe(false)
    expect(circuit.notReadyForMs(5_000)).toBe(0)
    expect(run('success', 5_000)).toBe(true)
  })

  it('stays open twice as long each time the probes fail, up to its greatest', () => {
    const { circuit, open } = setUp()
    const times: number[] = []
    let nowMs = 0
    for (let i = 0; i < 6; i++) {
      open(nowMs)
      times.push(circuit.notReadyForMs(nowMs))
      nowMs += circuit.notReadyForMs(nowMs)
    }
    expect(times).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000])
  })

  it('begins with the short time again after it was closed', () => {
    const { circuit, run, open } = setUp()
    open(0)
    open(5_000)
    for (let i = 0; i < 3; i++) run('success', 15_000)
    open(15_000)
    expect(circuit.notReadyForMs(15_000)).toBe(5_000)
  })

  it('varies its time by a fifth either way', () => {
    const openFor = (drawn: number): number => {
      const { circuit, open } = setUp({}, () => drawn)
      open(0)
      return circuit.notReadyForMs(0)
    }
    expect(openFor(0)).toBe(4_000)
    expect(openFor(0.999_999)).toBeCloseTo(6_000, 0)
  })

  it('drops outcomes of calls that began before it opened', () => {
    const { circuit, run, open } = setUp()
    const early = circuit.admit(0) as number
    open(0)
    circuit.record(early, 'success', 1)
    circuit.record(early, 'failure', 1)
    expect(kindOf(circuit)).toBe('open')
    for (let i = 0; i < 2; i++) run('success', 5_000)
    circuit.record(early, 'success', 5_000)
    expect(kindOf(circuit)).toBe('halfOpen')
    circuit.record(early, 'failure', 5_000)
    run('success', 5_000)
    expect(kindOf(circuit)).toBe('closed')
    for (let i = 0; i < 9; i++) circuit.record(early, 'failure', 5_000)
    expect(kindOf(circuit)).toBe('closed')
  })
})

describe('a half-open circuit', () => {
  function halfOpen(change: Partial<CircuitSettings> = {}) {
    const made = setUp(change)
    made.open(0)
    const probes = Array.from({ length: 3 }, () => made.circuit.admit(5_000) as number)
    return { ...made, probes }
  }

  it('lets no more than its probes pass', () => {
    const { circuit, probes } = halfOpen()
    expect(probes).not.toContain(undefined)
    expect(circuit.admit(5_000)).toBeUndefined()
    expect(circuit.notReadyForMs(5_000)).toBe(100)
  })

  it('does not give the place of a probe that ended to another', () => {
    const { circuit, probes } = halfOpen()
    circuit.record(probes[0]!, 'success', 5_100)
    expect(circuit.admit(5_100)).toBeUndefined()
  })

  it('closes with an empty window when all probes succeeded', () => {
    const { circuit, probes, moves } = halfOpen()
    for (const epoch of probes) circuit.record(epoch, 'success', 5_100)
    expect(kindOf(circuit)).toBe('closed')
    expect(circuit.counts(5_100)).toEqual({ calls: 0, failures: 0, slow: 0 })
    expect(moves).toEqual(['closed → open', 'open → halfOpen', 'halfOpen → closed'])
  })

  it('opens as soon as too many probes failed, without waiting for the others', () => {
    const { circuit, probes } = halfOpen()
    circuit.record(probes[0]!, 'failure', 5_100)
    expect(kindOf(circuit)).toBe('halfOpen')
    circuit.record(probes[1]!, 'failure', 5_100)
    expect(kindOf(circuit)).toBe('open')
    circuit.record(probes[2]!, 'success', 5_100)
    expect(kindOf(circuit)).toBe('open')
  })

  it('closes when fewer probes failed than it takes to open', () => {
    const { circuit, probes } = halfOpen()
    for (const [i, outcome] of (['failure', 'success', 'success'] as const).entries())
      circuit.record(probes[i]!, outcome, 5_100)
    expect(kindOf(circuit)).toBe('closed')
  })

  it('opens when the probes were slow', () => {
    const { circuit, probes } = halfOpen({ slowPercent: 60 })
    for (const epoch of probes) circuit.record(epoch, 'slowSuccess', 5_100)
    expect(kindOf(circuit)).toBe('open')
  })

  it('gives the place of a neutral probe to another', () => {
    const { circuit, probes } = halfOpen()
    circuit.record(probes[0]!, 'neutral', 5_100)
    expect(circuit.notReadyForMs(5_100)).toBe(0)
    expect(circuit.admit(5_100)).toBe(probes[0])
    expect(circuit.admit(5_100)).toBeUndefined()
  })

  it('opens when no probe came back in time: a hung callee does not hold it half-open', () => {
    const { circuit } = halfOpen()
    expect(circuit.notReadyForMs(14_950)).toBe(50)
    expect(circuit.notReadyForMs(15_000)).toBe(10_000)
    expect(kindOf(circuit)).toBe('open')
  })

  it('decides by the probes that came back in time', () => {
    for (const [outcome, kind] of [
      ['success', 'closed'],
      ['failure', 'open'],
    ] as const) {
      const { circuit, probes } = halfOpen()
      circuit.record(probes[0]!, outcome, 5_100)
      circuit.notReadyForMs(15_000)
      expect(kindOf(circuit)).toBe(kind)
    }
  })

  it('asks anew when nobody came to probe, or only with neutral outcomes', () => {
    const { circuit, probes, moves } = halfOpen()
    for (const epoch of probes) circuit.record(epoch, 'neutral', 5_100)
    const next = circuit.admit(3_600_000) as number
    expect(kindOf(circuit)).toBe('halfOpen')
    expect(next).not.toBe(probes[0])
    expect(moves).toEqual(['closed → open', 'open → halfOpen'])
  })
})

describe('a circuit that counts the last calls', () => {
  const lastFive = { windowMs: undefined, windowCalls: 5, callsMin: 5 }

  it('opens by them, however long ago they were', () => {
    const { circuit, run } = setUp(lastFive)
    const hourMs = 3_600_000
    for (const [at, outcome] of (['failure', 'success', 'failure', 'success', 'failure'] as const).entries())
      run(outcome, at * hourMs)
    expect(kindOf(circuit)).toBe('open')
    expect(circuit.counts(5 * hourMs)).toEqual({ calls: 5, failures: 3, slow: 0 })
  })

  it('forgets the call that leaves', () => {
    const { circuit, run } = setUp({ ...lastFive, failurePercent: 60 })
    for (const outcome of ['failure', 'failure', 'success', 'success', 'success', 'failure', 'failure'] as const)
      run(outcome, 0)
    expect(kindOf(circuit)).toBe('closed')
    expect(circuit.counts(0)).toEqual({ calls: 5, failures: 2, slow: 0 })
    run('failure', 0)
    expect(kindOf(circuit)).toBe('open')
  })

  it('counts slow ones too', () => {
    const { circuit, run } = setUp({ ...lastFive, slowPercent: 40 })
    for (const outcome of ['slowSuccess', 'success', 'success', 'success', 'slowFailure'] as const) run(outcome, 0)
    expect(kindOf(circuit)).toBe('open')
  })
})

describe('a circuit that climbs back', () => {
  function climbing(rampMs: number) {
    const made = setUp({ rampMs, probes: 1 })
    made.open(0)
    made.run('success', 5_000)
    const passed = (calls: number, nowMs: number): number => {
      let count = 0
      for (let call = 0; call < calls; call++) if (made.run('success', nowMs)) count++
      return count
    }
    return { ...made, passed }
  }

  it('lets the first call pass, then a tenth, and more and more of them until all do', () => {
    const { circuit, run, passed } = climbing(10_000)
    expect(run('success', 5_000)).toBe(true)
    expect(passed(100, 5_000)).toBe(10)
    expect(passed(100, 10_000)).toBe(55)
    expect(passed(100, 14_999)).toBeGreaterThanOrEqual(99)
    expect(circuit.closed).toBe(false)
    expect(passed(100, 15_000)).toBe(100)
    expect(circuit.closed).toBe(true)
  })

  it('spreads them evenly', () => {
    const { run } = climbing(10_000)
    const passing = Array.from({ length: 31 }, () => run('success', 5_000))
    const at = passing.flatMap((passed, index) => (passed ? [index] : []))
    expect(at).toHaveLength(4)
    for (let i = 2; i < at.length; i++) expect(Math.abs(at[i]! - at[i - 1]! - 10)).toBeLessThanOrEqual(1)
  })

  it('opens again when those fail, and climbs anew after that', () => {
    const { circuit, passed, run } = climbing(10_000)
    let nowMs = 5_000
    while (kindOf(circuit) === 'closed') run('failure', nowMs++)
    expect(kindOf(circuit)).toBe('open')
    run('success', nowMs + 10_000)
    expect(kindOf(circuit)).toBe('closed')
    expect(passed(101, nowMs + 10_000)).toBe(11)
  })

  it('says that it takes calls: which of them pass is not known before they come', () => {
    const { circuit } = climbing(10_000)
    expect(circuit.notReadyForMs(5_001)).toBe(0)
  })
})

describe('a circuit that is held', () => {
  it('open refuses for as long as it is held, and still shows what it had counted', () => {
    const { circuit, run, moves } = setUp()
    run('failure', 0)
    circuit.force('open', 0)
    expect(run('success', 1_000_000)).toBe(false)
    expect(circuit.notReadyForMs(1_000_000)).toBe(1_000)
    expect(circuit.counts(0)).toEqual({ calls: 1, failures: 1, slow: 0 })
    expect(moves).toEqual(['closed → open'])
  })

  it('closed counts all and never opens', () => {
    const { circuit, run } = setUp()
    circuit.force('closed', 0)
    for (let i = 0; i < 100; i++) expect(run('failure', 0)).toBe(true)
    expect(circuit.counts(0)).toEqual({ calls: 100, failures: 100, slow: 0 })
    expect(kindOf(circuit)).toBe('closed')
  })

  it('is let go with an empty window, and decides by itself again', () => {
    const { circuit, run, open } = setUp()
    circuit.force('closed', 0)
    for (let i = 0; i < 100; i++) run('failure', 0)
    circuit.force(undefined, 0)
    expect(circuit.counts(0)).toEqual({ calls: 0, failures: 0, slow: 0 })
    open(0)
    expect(circuit.notReadyForMs(0)).toBe(5_000)
  })

  it('does not count what began before, either way', () => {
    const { circuit } = setUp()
    const early = Array.from({ length: 10 }, () => circuit.admit(0) as number)
    circuit.force('closed', 0)
    for (const epoch of early.slice(0, 5)) circuit.record(epoch, 'failure', 0)
    expect(circuit.counts(0).calls).toBe(0)
    circuit.force(undefined, 0)
    for (const epoch of early.slice(5)) circuit.record(epoch, 'failure', 0)
    expect(kindOf(circuit)).toBe('closed')
  })

  it('while half-open forgets its probes', () => {
    const { circuit, open, run } = setUp()
    open(0)
    const probe = circuit.admit(5_000) as number
    circuit.force('open', 5_000)
    circuit.force(undefined, 5_000)
    circuit.record(probe, 'failure', 5_000)
    expect(run('success', 5_000)).toBe(true)
    expect(kindOf(circuit)).toBe('closed')
  })
})

const outcomes: readonly Outcome[] = ['success', 'slowSuccess', 'failure', 'slowFailure', 'neutral']

describe('a circuit against a list of everything that happened', () => {
  const step = fc.record({
    outcome: fc.constantFrom(...outcomes),
    afterMs: fc.oneof(fc.nat(50), fc.nat(3_000), fc.nat(30_000)),
  })

  it('opens exactly when the calls of the window say so', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 120 }),
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 100 }),
        (steps, failurePercent, slowPercent) => {
          const { circuit } = setUp({ failurePercent, slowPercent })
          const happened: { bucket: number; outcome: Outcome }[] = []
          let nowMs = 0
          for (const { outcome, afterMs } of steps) {
            nowMs += afterMs
            const epoch = circuit.admit(nowMs) as number
            circuit.record(epoch, outcome, nowMs)
            const bucket = Math.floor(nowMs / 1_000)
            if (outcome !== 'neutral') happened.push({ bucket, outcome })
            const recent = happened.filter((one) => one.bucket > bucket - 10)
            const share = (found: Outcome[]): number =>
              recent.filter((one) => found.includes(one.outcome)).length / recent.length
            const sick =
              share(['failure', 'slowFailure']) * 100 >= failurePercent ||
              share(['slowSuccess', 'slowFailure']) * 100 >= slowPercent
            const opens = outcome !== 'neutral' && recent.length >= settings.callsMin && sick
            expect(kindOf(circuit)).toBe(opens ? 'open' : 'closed')
            if (opens) break
          }
        },
      ),
    )
  })
})

describe('a circuit, whatever happens', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('begin' as const), afterMs: fc.nat(4_000) }),
    fc.record({
      kind: fc.constant('end' as const),
      afterMs: fc.nat(4_000),
      which: fc.nat(),
      outcome: fc.constantFrom(...outcomes),
    }),
    fc.record({ kind: fc.constant('look' as const), afterMs: fc.nat(20_000) }),
  )

  it('never refuses for ever, never lets more than its probes run, and says truly when it takes calls', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 150 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (steps, drawn) => {
          const { circuit } = setUp({ callsMin: 2 }, () => drawn)
          const running: number[] = []
          let nowMs = 0
          for (const taken of steps) {
            nowMs += taken.afterMs
            const waitMs = circuit.notReadyForMs(nowMs)
            expect(waitMs).toBeLessThanOrEqual(60_000 * 1.2)
            if (taken.kind === 'begin') {
              const epoch = circuit.admit(nowMs)
              expect(epoch === undefined).toBe(waitMs > 0)
              if (epoch !== undefined) running.push(epoch)
            } else if (taken.kind === 'end' && running.length > 0) {
              const [epoch] = running.splice(taken.which % running.length, 1)
              circuit.record(epoch!, taken.outcome, nowMs)
            }
            const { state } = circuit
            if (state.kind === 'halfOpen')
              expect(running.filter((epoch) => epoch === state.epoch).length).toBeLessThanOrEqual(3)
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})
