import { describe, expect, it } from 'vitest'
import { nsPerCall } from './speed.ts'
import { libraries, paths, type Subject, stackName } from './subject.ts'
import { subjectsOf } from './subjects.ts'

const failure = new Error('a fault')

describe('the time of a call', () => {
  it('is measured on every path, each call being made and awaited', async () => {
    for (const path of paths) {
      const ends: unknown[] = []
      const subject: Subject = {
        name: 'recording',
        failure,
        make: (action) => async () => {
          const end = await (async () => action())().catch((thrown: unknown) => thrown)
          ends.push(end)
          return end
        },
      }
      expect(await nsPerCall(subject, path, 1)).toBeGreaterThan(0)
      expect(new Set(ends)).toEqual(new Set([path.endsWith('failure') ? failure : 1]))
    }
  })
})

describe.each(libraries)('the subjects of %s', (library) => {
  it('let every call through: what they cost is all that they do', async () => {
    const subjects = await subjectsOf(library)
    expect(subjects.map(({ name }) => name)).toContain(stackName)
    for (const subject of subjects) {
      let made = 0
      const run = subject.make(async () => {
        made++
        return 1
      })
      for (let i = 0; i < 20; i++) expect(await run()).toBe(1)
      expect(made, subject.name).toBe(subject.name.startsWith('cache') ? 1 : 20)
    }
  })

  it('pass failures on, or answer for them, and go on taking calls', async () => {
    for (const subject of await subjectsOf(library)) {
      let made = 0
      const run = subject.make(async () => {
        made++
        throw subject.failure
      })
      const endings = new Set<unknown>()
      for (let i = 0; i < 100; i++) {
        endings.add(await Promise.resolve(run()).catch((thrown: unknown) => thrown))
      }
      expect([[0], [subject.failure]], subject.name).toContainEqual([...endings])
      expect(made, subject.name).toBe(100)
    }
  })
})
