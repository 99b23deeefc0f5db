import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { outputOf } from '../child.ts'
import { libraries, paths, stackName } from './subject.ts'

const told = async (program: string, ...args: readonly string[]): Promise<unknown> =>
  JSON.parse(await outputOf(join(import.meta.dirname, program), args))

describe('the programs of the benchmark of filters', () => {
  it.each(libraries)('tell what a call costs, for %s on every path', async (library) => {
    const figures = (await told('program.ts', library, '1')) as [subject: string, path: string, ns: number][]
    const ofStack = figures.filter(([subject]) => subject === stackName)
    expect(ofStack.map(([, path]) => path)).toEqual([...paths])
    for (const [, , ns] of figures) expect(ns).toBeGreaterThan(0)
  })

  it('see no timer, no signal and no closure that our default stack makes for a call', async () => {
    const heap = await told('heap-program.ts', 'ours', '2000')
    expect(heap).toMatchObject({
      made: { timers: 0, abortControllers: 0, abortSignals: 0 },
      held: { PlainCall: expect.any(Number) },
    })
    for (const kind of ['closure', 'Timeout', 'Entry', 'AbortSignal', 'AbortController']) {
      expect(heap).not.toHaveProperty(['held', kind])
    }
  })

  it('see those that others make', async () => {
    const heap = await told('heap-program.ts', 'cockatiel', '500')
    expect(heap).toMatchObject({ made: { timers: 1, abortControllers: 1 }, held: { Timeout: 1, AbortSignal: 1 } })
  })
})
