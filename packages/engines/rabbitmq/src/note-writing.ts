import { type NoteChange, type Outcome, type OutgoingRecord, PosthasteError, succeeded } from '@posthaste/contracts'
import { noteMessage } from './control-messages.ts'
import { deliveryLost } from './errors.ts'
import type { NoteBook } from './note-book.ts'
import type { Publisher } from './publisher.ts'

/** Where notes are written. */
export interface NotePage {
  readonly book: NoteBook
  /** The control queue of the range. */
  readonly queue: string
  readonly range: string
  /** Whether the member still reads the range. */
  readonly isCurrent: () => boolean
  /** Whether the server has read all acknowledgements so far. */
  readonly isRead: () => Promise<boolean>
}

/** Changes notes, after publishing what goes with the change; as `KeyRangeControl.note`. */
export async function writeNotes(
  publisher: Publisher,
  { book, queue, range, isCurrent, isRead }: NotePage,
  { changes, publish }: { readonly changes: readonly NoteChange[]; readonly publish: readonly OutgoingRecord[] },
): Promise<Outcome> {
  const written: Written[] = []
  const messages = changes.flatMap(({ name, record }) => {
    if (record === undefined) {
      written.push({ name, version: book.versionOf(name), isErased: true })
      return []
    }
    const { version, order } = book.next(name)
    written.push({ name, version, isErased: false })
    return [noteMessage(queue, { name, version, order, record }, publisher.stamp())]
  })
  try {
    // In this order on one channel, so that no note stands without what was to be published before it.
    const answers = await Promise.all([publisher.publish(publish), publisher.send(messages)])
    const failure = answers.flat().find(({ ok }) => !ok)
    if (!isCurrent()) return deliveryLost
    if (failure !== undefined) return failure
  } catch (thrown) {
    return { ok: false, error: PosthasteError.from(thrown, 'UNAVAILABLE', `noting in range ${range}`) }
  }
  const erasures: Promise<void>[] = []
  for (const { name, version, isErased } of written) {
    if (isErased) erasures.push(book.erased(name, version))
    else book.written(name, version)
  }
  if (erasures.length === 0) return succeeded
  // It stands until the server has its acknowledgement: nobody may be told before that it is done.
  await Promise.all(erasures)
  return (await isRead()) ? succeeded : deliveryLost
}

interface Written {
  readonly name: string
  readonly version: number
  readonly isErased: boolean
}
