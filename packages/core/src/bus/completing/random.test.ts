import { PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PartitionedBroker } from '../../../test/bus/partitioned/broker.ts'
import { World } from '../../../test/bus/partitioned/world.ts'
import { manualClock } from '../../testing/manual-clock.ts'

type Operation =
  | { readonly do: 'publish'; readonly keys: readonly (string | undefined)[] }
  | { readonly do: 'join'; readonly credit: number }
  | { readonly do: 'grant' | 'stop' | 'crash' | 'interrupt' | 'ack'; readonly pick: number }
  | { readonly do: 'release'; readonly pick: number; readonly counts: boolean; readonly afterMs: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'disturb'; readonly every: number }

const pick = fc.nat({ max: 50 })
const key = fc.constantFrom('a', 'b', 'c', undefined)
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('publish'), keys: fc.array(key, { maxLength: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('join'), credit: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('ack'), pick }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('release'),
      pick,
      counts: fc.boolean(),
      afterMs: fc.constantFrom(0, 5, 50),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.constantFrom(0, 1, 10, 100, 2_000) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('stop', 'crash', 'interrupt', 'grant'), pick }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('disturb'), every: fc.integer({ min: 2, max: 4 }) }) },
)

const unavailable = new PosthasteError('UNAVAILABLE', 'not now')

async function run(attempts: 'none' | 'hand-overs', operations: readonly Operation[]): Promise<World> {
  const clock = manualClock()
  let every = Number.POSITIVE_INFINITY
  let asked = 0
  const fault = () => {
    asked += 1
    return asked % every === 0 ? unavailable : undefined
  }
  const world = new World(new PartitionedBroker({ clock, attempts, fault }), clock)
  await world.begin()
  const alive = () => world.readers.filter(({ isAlive }) => isAlive)
  const of = <T>(all: readonly T[], at: number): T | undefined => all[at % Math.max(all.length, 1)]
  const inHand = () => alive().flatMap((reader) => reader.heads.map((delivery) => ({ reader, delivery })))

  const perform = async (each: Operation): Promise<void> => {
    if (each.do === 'publish') for (const one of each.keys) await world.publish(one)
    else if (each.do === 'pass') await clock.advance(each.ms)
    else if (each.do === 'disturb') every = Number.isFinite(every) ? Number.POSITIVE_INFINITY : each.every
    else if (each.do === 'join') {
      if (alive().length < 3) (await world.join()).grant(each.credit)
    } else if (each.do === 'ack' || each.do === 'release') {
      const found = of(inHand(), each.pick)
      if (found === undefined) return
      const { reader, delivery } = found
      void (each.do === 'release' ? reader.release(delivery, each) : reader.ack(delivery))
      // Sometimes the next thing happens before the engine has answered.
      if (each.pick % 3 === 0) return
    } else {
      const reader = of(alive(), each.pick)
      if (each.do === 'grant') reader?.grant(3)
      else if (each.do === 'interrupt' && reader !== undefined) world.interrupted(reader)
      else if (each.do === 'stop') void reader?.stop()
      else if (reader !== undefined) {
        reader.crash()
        await clock.advance(1)
      }
    }
    await world.settle()
  }
  for (const each of operations) await perform(each)

  // In the end the engine works, somebody reads, and everything is done.
  every = Number.POSITIVE_INFINITY
  if (alive().length === 0) await world.join()
  for (let round = 0; round < 400 && isUnfinished(world); round += 1) {
    for (const reader of alive()) {
      reader.grant(1)
      for (const delivery of reader.heads) await Promise.race([reader.ack(delivery), world.settle()])
    }
    await clock.advance(50)
    await world.settle()
  }
  await clock.advance(60_000)
  await world.settle()
  return world
}

function parked({ broker }: World): readonly string[] {
  return broker.notes('orders', 'g').filter((name) => name !== 'session')
}

function isUnfinished(world: World): boolean {
  return world.open.length > 0 || parked(world).length > 0
}

describe.each(['none', 'hand-overs'] as const)('random programs on key ranges, attempts: %s', (attempts) => {
  it('keep order, attempts and every record', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60, size: 'max' }), async (operations) => {
        const world = await run(attempts, operations)
        expect(world.violations).toEqual([])
        expect(world.open).toEqual([])
        expect(parked(world)).toEqual([])
      }),
      { numRuns: 200 },
    )
  })
})
