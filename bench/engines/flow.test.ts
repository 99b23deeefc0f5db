import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { backlogFactor } from '../embedded/backlog.ts'
import { Flow, inBatches, inLanes } from './flow.ts'

/** Confirms in a later turn, until so many are confirmed; counts what is under way. */
function server(flow: Flow, enough: number) {
  const seen = { underWay: 0, most: 0 }
  const publish = async (count = 1): Promise<void> => {
    seen.underWay += count
    seen.most = Math.max(seen.most, seen.underWay)
    await turn()
    seen.underWay -= count
    if (flow.confirmed + count >= enough) flow.isOver = true
  }
  return { seen, publish }
}

describe('a flow', () => {
  it('has as many messages under way as its window allows, and counts what is confirmed', async () => {
    const flow = new Flow(7, false)
    const { seen, publish } = server(flow, 100)
    await inLanes(flow, () => publish())
    expect(seen).toEqual({ underWay: 0, most: 7 })
    expect(flow.confirmed).toBeGreaterThanOrEqual(100)
  })

  it('is parted evenly where batches are published', async () => {
    const flow = new Flow(10, false)
    const { seen, publish } = server(flow, 100)
    await inBatches(flow, 2, publish)
    expect(seen).toEqual({ underWay: 0, most: 10 })
    expect(flow.confirmed % 5).toBe(0)
  })

  it('waits for handlers that are too far behind, and goes on when they have caught up', async () => {
    const flow = new Flow(4, true)
    let published = 0
    const publishing = inLanes(flow, async () => {
      published++
      await turn()
    })
    for (let turns = 0; turns < 50; turns++) await turn()
    expect(published).toBe(backlogFactor * flow.window)
    while (published < 100) {
      flow.less()
      await turn()
    }
    flow.isOver = true
    while (flow.behind > 0) {
      flow.less()
      await turn()
    }
    await publishing
    expect(flow.handled).toBe(flow.confirmed)
  })
})
