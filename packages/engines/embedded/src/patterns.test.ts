import { silentLog } from 'posthaste/testing'
import { describe, expect, it, vi } from 'vitest'
import type { Channel } from './channel.ts'
import { PatternGroups } from './patterns.ts'

/** A pattern of temporary groups over channels each of which has its group, with a member. */
function followed(count: number) {
  const busy = new Set(Array.from({ length: count }, (_, index) => `a.${index}`))
  const channel = (name: string): Channel => {
    const group = {
      get hasMembers() {
        return busy.has(name)
      },
    }
    return { spec: { name, kind: 'log' }, groups: new Map([['p', { group }]]) } as unknown as Channel
  }
  const channels = new Map([...busy].map((name) => [name, channel(name)]))
  const removed: string[] = []
  const patterns = new PatternGroups({
    channels,
    log: silentLog,
    memory: { watchers: new Set(), temporary: new Map() },
    addGroup: () => {},
    removeGroup: (name) => void removed.push(name),
    put: () => {},
  })
  patterns.declare({ pattern: 'a.*', group: 'p', from: 'next', lifetime: 'temporary' })
  return { patterns, channels, busy, removed }
}

describe('temporary groups over a pattern', () => {
  it('are looked through once, however many of them lose their last members in one turn', async () => {
    const { patterns, channels, busy, removed } = followed(100)
    patterns.watch('a.*', () => {})()
    expect(removed).toEqual([])
    const looks = vi.spyOn(channels, 'values')
    for (const name of [...busy]) {
      busy.delete(name)
      patterns.left()
    }
    await Promise.resolve()
    expect(looks).toHaveBeenCalledTimes(1)
    expect(removed).toHaveLength(100)
  })
})
