import type { Note, NoteChange, OutgoingRecord } from '@posthaste/contracts'
import { replacing } from './bucket.ts'
import type { Channel } from './channel.ts'
import { decode, type EncodedHeaders, RecordEncoder, type ServerHeaders, serverHeaders } from './codec.ts'
import { errorFrom } from './errors.ts'
import type { Link } from './link.ts'
import { type BucketNames, type Names, nameOf, tokenOf } from './names.ts'
import { inParallel } from './parallel.ts'
import { publishBytes } from './publisher.ts'

/** Which range of which group. */
export interface NotesPlace {
  readonly channel: string
  readonly group: string
  readonly range: number
}

const groupHeader = 'Posthaste-Group'

/** Notes read at once. */
const parallelMax = 64

const nothing = new Uint8Array()

/**
 * The notes of one range: messages in a key-value bucket, one key for each name. An erased one leaves a mark, so that
 * changes keep their order on one connection; marks are swept away later.
 */
export class Notes {
  readonly #link: Link
  readonly #bucket: BucketNames
  readonly #place: NotesPlace
  readonly #start: string
  readonly #encoder = new RecordEncoder()
  /** When each name was written first. */
  readonly #orders = new Map<string, number>()
  #nextOrder = 1
  #sweeping: Promise<unknown> = Promise.resolve()

  constructor(link: Link, bucket: BucketNames, place: NotesPlace) {
    this.#link = link
    this.#bucket = bucket
    this.#place = place
    this.#start = `${bucket.subject}${tokenOf(place.channel)}.${tokenOf(place.group)}.${place.range}.`
  }

  /** All of them, in the order in which they were first written. */
  async load(): Promise<readonly Note[]> {
    const { stream } = this.#bucket
    const info = await this.#link.admin('notes', (manager) =>
      manager.streams.info(stream, { subjects_filter: `${this.#start}>` }),
    )
    const subjects = Object.keys(info.state.subjects ?? {})
    const found: { readonly order: number; readonly note: Note }[] = []
    for (let at = 0; at < subjects.length; at += parallelMax) {
      const page = subjects.slice(at, at + parallelMax)
      const read = await Promise.all(page.map((subject) => this.#read(subject)))
      for (const each of read) if (each !== undefined) found.push(each)
    }
    found.sort((a, b) => a.order - b.order)
    this.#orders.clear()
    for (const { order, note } of found) this.#orders.set(note.name, order)
    this.#nextOrder = (found.at(-1)?.order ?? 0) + 1
    return found.map(({ note }) => note)
  }

  /**
   * Writes and erases, in this order.
   * @throws UNAVAILABLE ENGINE_CLOSED ENGINE_WRITE_FAILED
   */
  async change(changes: readonly NoteChange[]): Promise<void> {
    const answers = await Promise.all(changes.map((change) => this.#change(change)))
    const refused = answers.find(({ error }) => error !== undefined)?.error
    if (refused !== undefined) throw errorFrom(new Error(refused.description), 'note')
    for (const [at, { name, record }] of changes.entries()) {
      if (record === undefined) this.#sweep(this.#start + tokenOf(name), answers[at]?.seq ?? 0)
    }
  }

  #change({ name, record }: NoteChange) {
    const subject = this.#start + tokenOf(name)
    if (record === undefined) {
      this.#orders.delete(name)
      const headers = serverHeaders([replacing, ['KV-Operation', 'DEL']])
      return publishBytes(this.#link, { subject, body: nothing, headers })
    }
    const headers = this.#headersOf(name, record).asHeaders()
    return publishBytes(this.#link, { subject, body: record.body, headers })
  }

  #headersOf(name: string, record: OutgoingRecord): EncodedHeaders {
    const noteOrder = this.#orders.get(name) ?? this.#nextOrder++
    this.#orders.set(name, noteOrder)
    const group: ServerHeaders = record.group === undefined ? [] : [[groupHeader, tokenOf(record.group)]]
    return this.#encoder.headersOf(record, { noteOrder }, [replacing, ...group])
  }

  async #read(subject: string): Promise<{ readonly order: number; readonly note: Note } | undefined> {
    const { stream } = this.#bucket
    const message = await this.#link.find('note', (manager) =>
      manager.direct.getMessage(stream, { last_by_subj: subject }),
    )
    if (message == null) return undefined
    if (message.header.get('KV-Operation') === 'DEL') {
      this.#sweep(subject, message.seq)
      return undefined
    }
    const name = nameOf(subject.slice(this.#start.length))
    const group = message.header.get(groupHeader)
    const { record, internals } = decode(message.header, message.data, {
      channel: this.#place.channel,
      group: group === '' ? undefined : nameOf(group),
      fallbackId: name,
    })
    return { order: internals.noteOrder ?? 0, note: { name, record } }
  }

  /** Removes the mark of an erased note, unless something newer stands there. One at a time: it is nothing urgent. */
  #sweep(subject: string, seq: number): void {
    const { stream } = this.#bucket
    this.#sweeping = this.#sweeping
      .then(() =>
        this.#link.admin('notes', (manager) => manager.streams.purge(stream, { filter: subject, seq: seq + 1 })),
      )
      .catch(() => {})
  }
}

/** What removing notes needs. */
export interface NotesSurroundings {
  readonly link: Link
  readonly names: Names
}

/** Removes all notes of a group, of every range. */
export async function eraseNotes(around: NotesSurroundings, channel: Channel, group: string): Promise<void> {
  if (channel.keyRanges === 0) return
  const { link, names } = around
  const filter = filterOf(around, channel, group)
  await link.admin('notes', (manager) => manager.streams.purge(names.notes.stream, { filter }))
}

/** Removes the notes of a group that stand for records of the log; those of records that were addressed to it stay. */
export async function eraseNotesOfLog(around: NotesSurroundings, channel: Channel, group: string): Promise<void> {
  if (channel.keyRanges === 0) return
  const { link, names } = around
  const { stream } = names.notes
  const subjects_filter = filterOf(around, channel, group)
  const { state } = await link.admin('notes', (manager) => manager.streams.info(stream, { subjects_filter }))
  const subjects = Object.keys(state.subjects ?? {})
  await inParallel(subjects, async (subject) => {
    const note = await link.find('note', (manager) => manager.direct.getMessage(stream, { last_by_subj: subject }))
    if (note == null || note.header.get(groupHeader) !== '') return
    await link.admin('notes', (manager) => manager.streams.purge(stream, { filter: subject }))
  })
}

function filterOf({ names }: NotesSurroundings, { spec }: Channel, group: string): string {
  return `${names.notes.subject}${tokenOf(spec.name)}.${tokenOf(group)}.>`
}
