import { describe, expect, it } from 'vitest'
import { Backlog } from './backlog.ts'

describe('a backlog', () => {
  it('lets publishers on while there is room', () => {
    const backlog = new Backlog(2)
    expect([backlog.more(), backlog.more()]).toEqual([undefined, undefined])
  })

  it('makes all of them wait for the same room, until half of it is empty', async () => {
    const backlog = new Backlog(4)
    expect(backlog.more(4)).toBeUndefined()
    const [first, second] = [backlog.more(), backlog.more()]
    expect(second).toBe(first)
    let isOpen = false
    const waited = first!.then(() => {
      isOpen = true
    })
    for (let arrived = 0; arrived < 3; arrived++) backlog.less()
    await Promise.resolve()
    expect(isOpen).toBe(false)
    backlog.less()
    await waited
    expect(backlog.size).toBe(2)
    expect(backlog.more()).toBeUndefined()
  })
})
