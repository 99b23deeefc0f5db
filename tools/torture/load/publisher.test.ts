import { describe, expect, it } from 'vitest'
import { Exact, Keyed, Plain, Ruled, type TortureContract } from '../contracts.ts'
import type { Entry } from '../journal.ts'
import { seededRandom } from '../random.ts'
import type { System } from '../system.ts'
import { Publisher, seqPerLife } from './publisher.ts'

function publisherOf(life: number, send: () => Promise<unknown> = async () => {}) {
  const entries: Entry[] = []
  const journal = { write: (entry: Entry) => void entries.push(entry), close: () => {} }
  const app = { publish: send, send } as unknown as System['app']
  return { publisher: new Publisher({ app, journal } as System, life), entries }
}

function kindsOf(contract: TortureContract): Set<string> {
  const { publisher } = publisherOf(0)
  const random = seededRandom(5)
  return new Set(Array.from({ length: 3_000 }, () => publisher.make(contract, random).plan.kind))
}

describe('a publisher', () => {
  it('numbers messages so that those of later lives come later', () => {
    const random = seededRandom(1)
    const { publisher } = publisherOf(4)
    const made = [publisher.make(Keyed, random), publisher.make(Keyed, random)]
    expect(made.map(({ id, seq }) => [id, seq])).toEqual([
      ['4-1', 4 * seqPerLife + 1],
      ['4-2', 4 * seqPerLife + 2],
    ])
    expect(publisher.make(Plain, random).key).toBe('')
  })

  it('has go wrong what can go wrong with a contract, and nothing else', () => {
    expect(kindsOf(Keyed)).toEqual(new Set(['fine', 'slow', 'flaky', 'rejected', 'hopeless']))
    expect(kindsOf(Ruled)).toEqual(new Set(['fine', 'barred', 'ignored', 'flaky']))
    expect(kindsOf(Exact)).toEqual(new Set(['fine', 'slow', 'flaky']))
  })

  it('journals a message before it publishes it, and that it is confirmed', async () => {
    const { publisher, entries } = publisherOf(0)
    const data = publisher.make(Keyed, seededRandom(1))
    publisher.intend(Keyed, data)
    expect(entries).toMatchObject([{ t: 'intent', id: '0-1', channel: Keyed.type, key: data.key }])
    expect(await publisher.send(Keyed, data)).toBe(true)
    expect(entries[1]).toEqual({ t: 'confirmed', id: '0-1' })
  })

  it('journals a refusal as the fault that it is', async () => {
    const { publisher, entries } = publisherOf(0, () => Promise.reject(new Error('full')))
    expect(await publisher.send(Keyed, publisher.make(Keyed, seededRandom(1)))).toBe(false)
    expect(entries).toEqual([{ t: 'error', text: 'publishing 0-1: Error: full' }])
  })
})
