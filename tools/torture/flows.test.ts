import { describe, expect, it } from 'vitest'
import { lateNewsOf, lateNewsUntil, Work } from './contracts.ts'
import { flows, followersOf, relays } from './flows.ts'

const groupsOf = (channel: string): string[] => followersOf(channel).map(({ group }) => group)

describe('who is to handle a message', () => {
  it('is said by its channel, with whoever follows by a pattern', () => {
    expect(groupsOf(Work.type)).toEqual(['handler'])
    expect(groupsOf('torture.news.tagged')).toEqual(['bright', 'dark', 'audit'])
  })

  it('is known for channels that nobody has declared yet', () => {
    expect(groupsOf(lateNewsOf(12_345).type)).toEqual(['audit'])
  })

  it('has one channel that leads to each derived one', () => {
    expect([...relays.keys()]).toEqual(flows.flatMap(({ leadsTo }) => (leadsTo === undefined ? [] : [leadsTo.type])))
  })
})

describe('channels that appear late', () => {
  it('are all those of the lives until now', () => {
    const all = lateNewsUntil(60).map(({ type }) => type)
    expect(all).toEqual([...new Set(Array.from({ length: 61 }, (_, life) => lateNewsOf(life).type))])
    expect(all.length).toBeGreaterThan(1)
  })
})
