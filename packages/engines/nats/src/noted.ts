import { AckPolicy, DeliverPolicy, ReplayPolicy } from '@nats-io/jetstream'
import { nanos } from '@nats-io/nats-core'
import { Awaited } from './awaited.ts'
import { valueAt } from './bucket.ts'
import { isMark } from './codec.ts'
import type { Link } from './link.ts'
import { type BucketNames, tokenOf } from './names.ts'
import { editionKey, sessionNote } from './notes.ts'

/** Whose notes, of which ranges. */
export interface NotedSpec {
  readonly bucket: BucketNames
  readonly channel: string
  readonly group: string
  readonly isCounted: (range: number) => boolean
}

const sessionToken = tokenOf(sessionNote)

/**
 * How many records are noted with some ranges of a group, as far as they have no mark that says that they are not any more.
 * @throws UNAVAILABLE ENGINE_CLOSED
 */
export async function countNoted(link: Link, { bucket, channel, group, isCounted }: NotedSpec): Promise<number> {
  const { stream } = bucket
  const start = `${bucket.subject}${tokenOf(channel)}.${tokenOf(group)}.`
  const filter = `${start}*.*.*`
  const info = await link.find('lag', (manager) => manager.streams.info(stream, { subjects_filter: filter }))
  const places = Object.keys(info?.state.subjects ?? {}).map((subject) => {
    const [range = '', edition = '', name = ''] = subject.slice(start.length).split('.')
    return { subject, range, edition, name }
  })
  const counted = places.filter(({ range, name }) => name !== sessionToken && isCounted(Number(range)))
  const ranges = [...new Set(counted.map(({ range }) => range))]
  const keys = ranges.map((range) => valueAt(link, { stream, subject: `${start}${range}.${editionKey}` }))
  const held = new Set((await Promise.all(keys)).map(({ value }) => value))
  const holding = counted.filter(({ edition }) => held.has(edition))
  if (holding.length === 0) return 0
  const marked = await marksOf(link, { stream, filter })
  return holding.filter(({ subject }) => !marked.has(subject)).length
}

interface MarksSpec {
  readonly stream: string
  readonly filter: string
}

/** Subjects whose last message is a mark. */
async function marksOf(link: Link, { stream, filter }: MarksSpec): Promise<ReadonlySet<string>> {
  const marks = new Set<string>()
  const inbox = link.inbox()
  const all = new Awaited(link)
  let [received, expected] = [0, Number.POSITIVE_INFINITY]
  const subscription = link.connection.subscribe(inbox, {
    callback: (_error, message) => {
      if (message.reply === undefined || message.reply === '') return
      received += 1
      if (isMark(message.headers)) marks.add(message.subject)
      if (received >= expected) all.complete()
    },
  })
  try {
    const { name, num_pending, delivered } = await link.admin('lag', (manager) =>
      manager.consumers.add(stream, {
        deliver_subject: inbox,
        deliver_policy: DeliverPolicy.LastPerSubject,
        ack_policy: AckPolicy.None,
        replay_policy: ReplayPolicy.Instant,
        filter_subject: filter,
        headers_only: true,
        inactive_threshold: nanos(5_000),
        mem_storage: true,
      }),
    )
    expected = num_pending + delivered.consumer_seq
    if (received < expected) await all.done
    void link.find('lag', (manager) => manager.consumers.delete(stream, name)).catch(() => {})
    return marks
  } finally {
    all.end()
    subscription.unsubscribe()
  }
}
