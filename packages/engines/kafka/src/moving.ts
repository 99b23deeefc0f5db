import { type Move, type Outcome, PosthasteError, succeeded } from '@posthaste/contracts'
import type { BrowsingPlace } from './browsing-place.ts'
import { hasCode, kafkaCodes, mapped } from './errors.ts'
import { placeOf } from './place.ts'
import { fromOutside, partitionPosition, readPositions } from './positions.ts'
import type { Routed } from './producer.ts'
import { committedEnd, offsetsOf, scan } from './scan.ts'
import { Transactor } from './transactor.ts'
import { Window } from './window.ts'

/** How often a move begins anew because another one was at it. */
const movesMax = 10

/** Takes records out of a queue, and publishes others in the same step; each move has an outcome of its own. */
export async function move(place: BrowsingPlace, name: string, moves: readonly Move[]): Promise<readonly Outcome[]> {
  const channel = await place.declared.channel(name)
  if (channel.spec.kind !== 'queue')
    throw new PosthasteError('FAILED_PRECONDITION', `channel ${name}: a log keeps its records`)
  const groupId = place.declared.queueGroupId(channel)
  // One id for all who move of this queue: whoever begins shuts out the one before, and sees what that one did.
  const transactor = new Transactor(place.cluster, place.names.transactionalId(`move ${groupId}`))
  for (let round = 0; ; round += 1) {
    try {
      await transactor.fence()
      return await moveAll(place, { name, groupId, transactor }, moves)
    } catch (error) {
      const fenced = hasCode(error, kafkaCodes.producerFenced, kafkaCodes.invalidProducerEpoch)
      if (fenced && round < movesMax) continue
      const failure = failureOf(error, name)
      return moves.map(() => ({ ok: false, error: failure }))
    }
  }
}

function failureOf(error: unknown, name: string): PosthasteError {
  if (!hasCode(error, kafkaCodes.unknownMember, kafkaCodes.illegalGeneration)) return mapped(error, `move in ${name}`)
  const message = `move in ${name}: the group has members, which may be handling it`
  return new PosthasteError('CONFLICT', message, { cause: error })
}

/** The queue that is moved out of. */
interface Moving {
  readonly name: string
  readonly groupId: string
  readonly transactor: Transactor
}

async function moveAll(
  place: BrowsingPlace,
  { name, groupId, transactor }: Moving,
  moves: readonly Move[],
): Promise<Outcome[]> {
  const topic = place.names.topic(name)
  const standing = await Standing.of(place, { name, topic, groupId })
  const outcomes: Outcome[] = []
  const records: Routed[] = []
  for (const { position, publish } of moves) {
    const error = await standing.obstacle(position)
    const routed = error ?? routeAll(place, publish)
    if (PosthasteError.is(routed)) {
      outcomes.push({ ok: false, error: routed })
      continue
    }
    records.push(...routed)
    standing.take(position)
    outcomes.push(succeeded)
  }
  const positions = standing.changed()
  if (positions.length > 0) await transactor.run({ records, positions: [fromOutside(groupId, topic, positions)] })
  return outcomes
}

function routeAll({ router }: BrowsingPlace, publish: Move['publish']): Routed[] | PosthasteError {
  router.turn()
  const found: Routed[] = []
  for (const record of publish) {
    const routed = router.route(record)
    if (PosthasteError.is(routed)) return routed
    found.push(routed)
  }
  return found
}

interface Queue {
  readonly name: string
  readonly topic: string
  readonly groupId: string
}

/** What stands in a queue, as its group has it. */
class Standing {
  readonly #place: BrowsingPlace
  readonly #queue: Queue
  readonly #windows: ReadonlyMap<number, Window>
  readonly #end: ReadonlyMap<number, number>
  readonly #changed = new Set<number>()

  private constructor(
    place: BrowsingPlace,
    queue: Queue,
    found: { readonly windows: ReadonlyMap<number, Window>; readonly end: ReadonlyMap<number, number> },
  ) {
    this.#place = place
    this.#queue = queue
    this.#windows = found.windows
    this.#end = found.end
  }

  static async of(place: BrowsingPlace, queue: Queue): Promise<Standing> {
    const { cluster } = place
    const { topic, groupId } = queue
    const partitions = [...(await cluster.topic(topic)).leaders.keys()]
    const positions = await readPositions(cluster, groupId, { topic, partitions })
    const first = await offsetsOf(cluster, topic, { partitions, at: 'first' })
    const end = await committedEnd(cluster, topic, partitions)
    const windows = new Map<number, Window>()
    for (const partition of partitions) {
      const start = { offset: first.get(partition) ?? 0, done: new Uint8Array(0), addressedFrom: 0 }
      windows.set(partition, new Window(positions.get(partition) ?? start))
    }
    return new Standing(place, queue, { windows, end })
  }

  /** Why a record cannot be taken out. */
  async obstacle(position: string): Promise<PosthasteError | undefined> {
    const { name, topic } = this.#queue
    const at = placeOf(position)
    const window = at && this.#windows.get(at.partition)
    const gone = new PosthasteError('NOT_FOUND', `move in ${name}: nothing stands at ${position}`)
    if (at === undefined || window === undefined) return gone
    if (window.isDone(at.offset) || at.offset >= (this.#end.get(at.partition) ?? 0)) return gone
    if (!window.fits(at.offset)) {
      const message = `move in ${name}: ${position} is too far behind the oldest record; move that first`
      return new PosthasteError('OVERLOADED', message)
    }
    let stands = false
    const range = { topic, partition: at.partition, from: at.offset, until: at.offset + 1 }
    await scan(this.#place.cluster, range, () => {
      stands = true
    })
    return stands ? undefined : gone
  }

  /** Counts it as done, where there is no obstacle. */
  take(position: string): void {
    const at = placeOf(position)
    if (at === undefined) return
    this.#windows.get(at.partition)?.complete(at.offset)
    this.#changed.add(at.partition)
  }

  /** Where the group stands in partitions that something was taken out of. */
  changed(): ReturnType<typeof partitionPosition>[] {
    return [...this.#changed].map((each) => partitionPosition(each, (this.#windows.get(each) as Window).position()))
  }
}
