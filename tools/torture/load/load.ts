import { setTimeout as sleep } from 'node:timers/promises'
import { flowOf } from '../flows.ts'
import type { Healing } from '../healing.ts'
import { type Random, seededRandom } from '../random.ts'
import type { System } from '../system.ts'
import { redrive } from './burying.ts'
import { operate, replay } from './operating.ts'
import { prepare } from './preparing.ts'
import { Publisher } from './publisher.ts'
import { publishRepeatedly } from './repeating.ts'
import { request } from './requesting.ts'
import { schedule } from './scheduling.ts'
import { takeSnapshots } from './snapshots.ts'
import { poisoned, publishOne, publishRevised, publishStream, streamsOf } from './streams.ts'

/** What distinguishes one life's load from another's. */
export interface LoadOptions {
  readonly seed: number
  readonly life: number
  /** Whether one message of this life kills whoever handles it. */
  readonly poison: boolean
  readonly runDir: string
}

const poisonAfterMsMax = 250
const streamsPerLife = 100

/**
 * Does everything at once until the process is killed: never resolves while all is well. Everything random comes from the
 * seed and the number of the life.
 */
export async function load(
  system: System,
  healing: Healing,
  { seed, life, poison, runDir }: LoadOptions,
): Promise<void> {
  const publisher = new Publisher(system, life)
  let count = 0
  const random = (): Random => seededRandom(seed, life * streamsPerLife + count++)
  const running = [
    ...streamsOf(life).map((stream) => publishStream(publisher, stream, random())),
    publishRevised(publisher, random()),
    publishRepeatedly(publisher, random()),
    schedule(publisher, random()),
    request(publisher, random()),
    prepare(publisher, random()),
    redrive(publisher, healing, random()),
    operate(publisher, random()),
    replay(publisher, random()),
    takeSnapshots(publisher, runDir, random()),
  ]
  if (poison) running.push(poisonOnce(publisher, random()))
  await Promise.all(running)
}

/** One message that kills its handler's process, until it is dead-lettered. */
async function poisonOnce(publisher: Publisher, random: Random): Promise<void> {
  await sleep(random.integer(0, poisonAfterMsMax))
  const contract = random.pick(poisoned)
  const at = random.pick(flowOf(contract).followers).group
  await publishOne(
    publisher,
    { contract, burstMax: 1, pauseMsMax: 0, plan: { kind: 'poison', at, failures: 0 } },
    random,
  )
}
