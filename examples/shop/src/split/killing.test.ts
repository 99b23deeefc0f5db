import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Killer, seeded } from './killing.ts'
import { type ProcessName, serviceNames } from './plan.ts'

const names: readonly ProcessName[] = ['broker', ...serviceNames]
const silent = { show() {}, print() {}, end() {} }

describe('the killer', () => {
  it('has killed everybody as often as there are rounds when all is posted, whatever the seed and the steps', () => {
    const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 }).map((all) => all.toSorted())
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 3 }), shares, (seed, rounds, some) => {
        const killer = new Killer({ names, kill: () => true, rounds, random: seeded(seed) })
        const progress = killer.watching(silent)
        const steps = Array.from({ length: 200 }, (_, at) => (at + 1) / 200)
        for (const share of [...some, ...steps].toSorted((one, other) => one - other)) progress.show(share, '')
        expect(killer.left).toBe(0)
        for (const name of names) expect(killer.killed.filter((each) => each === name)).toHaveLength(rounds)
      }),
    )
  })

  it('kills nobody before there is work, and waits for one that is not running', () => {
    let isRunning = false
    const killer = new Killer({ names: ['orders', 'front'], kill: () => isRunning, rounds: 1, random: () => 0 })
    const progress = killer.watching(silent)
    progress.show(0.1, '')
    progress.show(0.5, '')
    expect(killer.killed).toEqual([])
    isRunning = true
    progress.show(0.5, '')
    progress.show(0.6, '')
    expect(killer.killed).toHaveLength(1)
    progress.show(1, '')
    expect(killer.left).toBe(0)
  })

  it('kills nobody where there are no rounds', () => {
    const killer = new Killer({ names, kill: () => true, rounds: 0, random: () => 0 })
    killer.watching(silent).show(1, '')
    expect(killer.killed).toEqual([])
  })
})
