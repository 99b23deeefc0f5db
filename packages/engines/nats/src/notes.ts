import type { StoredMsg } from '@nats-io/jetstream'
import type { Note, NoteChange, OutgoingRecord } from '@posthaste/contracts'
import { PosthasteError } from '@posthaste/contracts'
import { type KeyPlace, valueAt, writeOver } from './bucket.ts'
import type { Channel } from './channel.ts'
import { decode, type EncodedHeaders, isMark, markHeaders, RecordEncoder, type ServerHeaders } from './codec.ts'
import { errorFrom, type PubAnswer } from './errors.ts'
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

/** Whose notes, and where they stand. */
export interface NotesSpec extends NotesPlace {
  readonly bucket: BucketNames
  /** Whether it is certain that nobody has begun to read the range after this reader. */
  readonly isOurs: () => boolean
}

const groupHeader = 'Posthaste-Group'

/** Names the edition that holds; notes have one token more. */
export const editionKey = 'edition'

/** The note that says who reads a range: no record. */
export const sessionNote = 'session'

/** Notes read at once. */
const parallelMax = 64

/** Marks of erased notes that an edition may have, or as many as it has notes, before another one takes its place. */
const marksMax = 1_000

const nothing = new Uint8Array()

/** A note as it was written last. */
interface Kept {
  readonly record: OutgoingRecord
  /** When its name was written first. */
  readonly order: number
}

/**
 * The notes of one range: messages in a key-value bucket, one key for each name. An erased one leaves a mark for good: a
 * server that was killed may bring back what was removed before, as 2.12 does, but never in place of what came later.
 *
 * So that marks do not become more and more, and nothing that a former reader of the range has sent arrives late, notes stand
 * in an edition: a reader begins with one of its own, which takes over what the one before it had, and makes another after
 * many erasures. Editions that do not hold any more are removed, and ignored where they come back.
 */
export class Notes {
  readonly #link: Link
  readonly #spec: NotesSpec
  readonly #start: string
  readonly #encoder = new RecordEncoder()
  readonly #kept = new Map<string, Kept>()
  #nextOrder = 1
  #edition = ''
  /** Of the key that names it. */
  #revision = 0
  /** Editions that this reader has made. */
  readonly #own = new Set<string>()
  #marks = 0
  readonly #changing = new Set<Promise<unknown>>()
  #renewing: Promise<void> | undefined
  #removing: Promise<unknown> = Promise.resolve()

  constructor(link: Link, spec: NotesSpec) {
    this.#link = link
    this.#spec = spec
    this.#start = startOf(spec)
  }

  /**
   * All of them, in the order in which they were first written. From then on only what is changed here holds.
   * @throws UNAVAILABLE ENGINE_CLOSED
   */
  async load(): Promise<readonly Note[]> {
    const { value: edition = '', revision } = await valueAt(this.#link, this.#editionPlace)
    // Not before: who was late must not take over from its successor. Who comes after this moment reads what is written over
    // this revision, or has it refused.
    if (!this.#spec.isOurs()) throw this.#notOurs()
    const { stream } = this.#spec.bucket
    const info = await this.#link.admin('notes', (manager) =>
      manager.streams.info(stream, { subjects_filter: `${this.#start}*.*` }),
    )
    const subjects = Object.keys(info.state.subjects ?? {})
    const found = await this.#readAll(subjects.filter((subject) => subject.startsWith(`${this.#start}${edition}.`)))
    this.#kept.clear()
    for (const [name, kept] of found) this.#kept.set(name, kept)
    this.#nextOrder = (found.at(-1)?.[1].order ?? 0) + 1
    this.#revision = revision
    await this.#renew()
    const others = new Set(subjects.map((subject) => subject.slice(this.#start.length).split('.')[0] as string))
    for (const each of others) this.#remove(each)
    return found.map(([name, { record }]) => ({ name, record }))
  }

  /**
   * Writes and erases, in this order.
   * @throws UNAVAILABLE ENGINE_CLOSED ENGINE_WRITE_FAILED
   */
  async change(changes: readonly NoteChange[]): Promise<void> {
    if (this.#marks > Math.max(marksMax, this.#kept.size)) this.#renewing ??= this.#renewAlone()
    if (this.#renewing !== undefined) await this.#renewing
    const changing = this.#changeAll(changes)
    this.#changing.add(changing)
    try {
      await changing
    } finally {
      this.#changing.delete(changing)
    }
  }

  async #changeAll(changes: readonly NoteChange[]): Promise<void> {
    const written = changes.map(({ name, record }) => {
      const before = this.#kept.get(name)
      if (record === undefined) return before
      const kept = { record, order: before?.order ?? this.#nextOrder++ }
      this.#kept.set(name, kept)
      return kept
    })
    const answers = changes.map(({ name, record }, at) =>
      record === undefined ? this.#mark(name) : this.#write(this.#edition, name, written[at] as Kept),
    )
    stored(await Promise.all(answers))
    for (const [at, { name, record }] of changes.entries()) {
      if (record !== undefined) continue
      this.#marks += 1
      if (this.#kept.get(name) === written[at]) this.#kept.delete(name)
    }
  }

  #mark(name: string): Promise<PubAnswer> {
    return writeMark(this.#link, this.#subjectOf(this.#edition, name))
  }

  #write(edition: string, name: string, { record, order }: Kept): Promise<PubAnswer> {
    const headers = this.#headersOf(record, order).asHeaders()
    return publishBytes(this.#link, { subject: this.#subjectOf(edition, name), body: record.body, headers })
  }

  #headersOf(record: OutgoingRecord, noteOrder: number): EncodedHeaders {
    const group: ServerHeaders = record.group === undefined ? [] : [[groupHeader, tokenOf(record.group)]]
    return this.#encoder.headersOf(record, { noteOrder }, group)
  }

  #subjectOf(edition: string, name: string): string {
    return `${this.#start}${edition}.${tokenOf(name)}`
  }

  // ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async #readAll(subjects: readonly string[]): Promise<readonly (readonly [name: string, kept: Kept])[]> {
    const found: (readonly [string, Kept])[] = []
    for (let at = 0; at < subjects.length; at += parallelMax) {
      const page = subjects.slice(at, at + parallelMax)
      const read = await Promise.all(page.map((subject) => this.#read(subject)))
      for (const each of read) if (each !== undefined) found.push(each)
    }
    return found.sort(([, a], [, b]) => a.order - b.order)
  }

  async #read(subject: string): Promise<readonly [name: string, kept: Kept] | undefined> {
    const { stream } = this.#spec.bucket
    const message = await lastOf(this.#link, { stream, subject })
    if (message == null || isMark(message.header)) return undefined
    const name = nameOf(subject.slice(subject.lastIndexOf('.') + 1))
    const group = message.header.get(groupHeader)
    const { record, internals } = decode(message.header, message.data, {
      channel: this.#spec.channel,
      group: group === '' ? undefined : nameOf(group),
      fallbackId: name,
    })
    return [name, { record, order: internals.noteOrder ?? 0 }]
  }

  // ── Editions ──────────────────────────────────────────────────────────────────────────────────────────────────────

  get #editionPlace(): KeyPlace {
    return { stream: this.#spec.bucket.stream, subject: this.#start + editionKey }
  }

  /** Nothing is changed meanwhile: it would be in the edition that does not hold any more. */
  async #renewAlone(): Promise<void> {
    await Promise.allSettled(this.#changing)
    const former = this.#edition
    try {
      await this.#renew()
      this.#remove(former)
    } finally {
      this.#renewing = undefined
    }
  }

  /** Makes an edition of what is kept. One that was made and not confirmed holds the same, and gives way to the next. */
  async #renew(): Promise<void> {
    const edition = this.#link.inbox().slice('_INBOX.'.length)
    this.#own.add(edition)
    stored(await Promise.all([...this.#kept].map(([name, kept]) => this.#write(edition, name, kept))))
    for (;;) {
      const change = { value: edition, revision: this.#revision }
      const { isWritten, value = '', revision } = await writeOver(this.#link, this.#editionPlace, change)
      if (!isWritten && !this.#mayFollow(value)) throw this.#notOurs()
      this.#revision = revision
      if (isWritten) break
    }
    this.#edition = edition
    this.#own.clear()
    this.#own.add(edition)
    this.#marks = 0
  }

  /** Who has begun holds all there is: an edition that is not its own is one of before, as long as the range is ours. */
  #mayFollow(edition: string): boolean {
    return this.#own.has(edition) || (this.#edition !== '' && this.#spec.isOurs())
  }

  #notOurs(): PosthasteError {
    return new PosthasteError('UNAVAILABLE', `range ${this.#spec.range}: its notes are somebody else’s by now`)
  }

  /** One at a time: it is nothing urgent. */
  #remove(edition: string): void {
    const { stream } = this.#spec.bucket
    const filter = `${this.#start}${edition}.*`
    this.#removing = this.#removing
      .then(() => this.#link.admin('notes', (manager) => manager.streams.purge(stream, { filter })))
      .catch(() => {})
  }
}

/** @throws UNAVAILABLE ENGINE_WRITE_FAILED when one of them was refused */
function stored(answers: readonly PubAnswer[]): void {
  const refused = answers.find(({ error }) => error !== undefined)?.error
  if (refused !== undefined) throw errorFrom(new Error(refused.description), 'note')
}

function writeMark(link: Link, subject: string): Promise<PubAnswer> {
  return publishBytes(link, { subject, body: nothing, headers: markHeaders })
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

/** Erases the notes of a group that stand for records of the log; those of records that were addressed to it stay. */
export async function eraseNotesOfLog(around: NotesSurroundings, channel: Channel, group: string): Promise<void> {
  if (channel.keyRanges === 0) return
  const { link, names } = around
  const { stream } = names.notes
  const subjects_filter = filterOf(around, channel, group).replace(/>$/, '*.*.*')
  const { state } = await link.admin('notes', (manager) => manager.streams.info(stream, { subjects_filter }))
  const subjects = Object.keys(state.subjects ?? {})
  await inParallel(subjects, async (subject) => {
    const note = await lastOf(link, { stream, subject })
    if (note == null || note.header.get(groupHeader) !== '' || isMark(note.header)) return
    stored([await writeMark(link, subject)])
  })
}

/** Asked of the leader of the stream: another server of a cluster may not know yet what was written a moment ago. */
function lastOf(link: Link, { stream, subject }: KeyPlace): Promise<StoredMsg | null | undefined> {
  return link.find('note', (manager) => manager.streams.getMessage(stream, { last_by_subj: subject }))
}

function startOf({ bucket, channel, group, range }: NotesSpec): string {
  return `${bucket.subject}${tokenOf(channel)}.${tokenOf(group)}.${range}.`
}

function filterOf({ names }: NotesSurroundings, { spec }: Channel, group: string): string {
  return `${names.notes.subject}${tokenOf(spec.name)}.${tokenOf(group)}.>`
}
