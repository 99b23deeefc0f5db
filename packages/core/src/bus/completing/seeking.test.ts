import { describe, expect, it } from 'vitest'
import { PartitionedBroker } from '../../../test/bus/partitioned/broker.ts'
import { World } from '../../../test/bus/partitioned/world.ts'
import { manualClock } from '../../testing/manual-clock.ts'

const laterMs = 10_000

/** A group that has parked one record of the log and one that was addressed to it, each with a successor in its key. */
async function parked(leave: 'stop' | 'crash') {
  const clock = manualClock()
  const world = new World(new PartitionedBroker({ clock }), clock)
  await world.begin()
  const plain = await world.publish('a')
  const addressed = await world.publish('b', { group: 'g' })
  const behind = await world.publish('b', { group: 'g' })
  const reader = await world.join()
  reader.grant(3)
  await world.settle()
  for (const delivery of reader.heads) await reader.release(delivery, { counts: true, afterMs: laterMs })
  await world.settle()
  if (leave === 'crash') reader.crash()
  else await reader.stop()
  await clock.advance(1)
  return { clock, world, plain: plain.id, addressed: [addressed.id, behind.id] }
}

/** Reads all that comes, and says as which attempt it came. */
async function readAll(world: World): Promise<readonly (readonly [id: string, attempt: number])[]> {
  const seen: (readonly [string, number])[] = []
  const reader = await world.join()
  reader.grant(10)
  for (let round = 0; round < 4; round += 1) {
    await world.clock.advance(laterMs)
    for (const delivery of reader.heads) {
      seen.push([delivery.record.id, delivery.attempt])
      await reader.ack(delivery)
    }
    await world.settle()
  }
  await reader.stop()
  return seen
}

describe('a seek where records are parked', () => {
  it.each(['stop', 'crash'] as const)('loses none that was addressed to the group, after a %s', async (leave) => {
    const { world, addressed } = await parked(leave)
    await world.seek({ to: 'next' })
    const [first = '', second = ''] = addressed
    expect(await readAll(world)).toEqual([
      [first, 2],
      [second, 1],
    ])
    expect(world.broker.notes('orders', 'g').filter((name) => name !== 'session')).toEqual([])
  })

  it('forgets those that stand in the log, and who read it', async () => {
    const { world, plain, addressed } = await parked('crash')
    expect(world.broker.notes('orders', 'g')).toContain('session')
    await world.seek({ to: 'next' })
    const notes = world.broker.notes('orders', 'g')
    expect(notes).toHaveLength(addressed.length)
    expect(notes).not.toContain('session')
    expect((await readAll(world)).map(([id]) => id)).not.toContain(plain)
  })
})
