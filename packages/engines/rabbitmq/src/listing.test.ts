import { expect, it } from 'vitest'
import { Lister } from './listing.ts'
import type { Examine } from './registry.ts'
import type { TopologyDeps } from './topology.ts'

/** A lister whose registry is read when the test says so. */
function lister() {
  const reads: PromiseWithResolvers<void>[] = []
  const registry = {
    async read<T>(examine: Examine<T>): Promise<T> {
      const turn = Promise.withResolvers<void>()
      reads.push(turn)
      await turn.promise
      return (await examine([])).found
    },
  }
  const subject = new Lister({ topology: { registry } as unknown as TopologyDeps, isOwn: () => false })
  return { subject, reads }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

it('calls that come while the registry is read share the next time', async () => {
  const { subject, reads } = lister()
  const first = subject.channels()
  await turn()
  const others = [subject.channels(), subject.channels(), subject.groups('none')]
  await turn()
  expect(reads).toHaveLength(1)
  reads[0]?.resolve()
  expect(await first).toEqual([])
  await turn()
  expect(reads).toHaveLength(2)
  reads[1]?.resolve()
  const [one, two, none] = await Promise.allSettled(others)
  expect([one, two]).toMatchObject([{ value: [] }, { value: [] }])
  expect(none).toMatchObject({ reason: { code: 'NOT_FOUND' } })
  expect(reads).toHaveLength(2)
})

it('a registry that could not be read once is read again', async () => {
  const { subject, reads } = lister()
  const failing = subject.channels()
  const later = turn().then(() => subject.channels())
  await turn()
  reads[0]?.reject(new Error('gone'))
  await expect(failing).rejects.toThrow('gone')
  await turn()
  reads[1]?.resolve()
  expect(await later).toEqual([])
})
