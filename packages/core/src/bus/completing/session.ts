import { nobody, type Session, sessionName, sessionNote } from './note-codec.ts'
import type { NoteWriter } from './note-writer.ts'

/** Whose session it is, and where it is noted. */
export interface SessionInit {
  readonly channel: string
  /** Names this process. */
  readonly reader: string
  readonly notes: NoteWriter
  /** More may be handed over than before. */
  raised(): void
}

/** Up to this many unsettled deliveries are noted exactly; beyond, in powers of two, so that a session is seldom written. */
const exactMax = 8
/** What is allowed for is lowered when so many times less would have been enough. */
const easeFactor = 4

const rounded = (unsettled: number): number =>
  unsettled <= exactMax ? unsettled : 2 ** Math.ceil(Math.log2(unsettled))

/**
 * The note that a reader leaves while it has something in hand: whoever finds it knows that its reader vanished, and how
 * many deliveries may have been with it. It stands before anything is handed over, and is written again only when more is
 * under way than ever before.
 */
export class SessionKeeper {
  readonly #init: SessionInit
  /** How many unsettled deliveries the note allows for; -1 while none of ours stands. */
  #stands = -1
  /** The same, of the one that is being written. */
  #asked = -1
  /** How many there are, where that is more. */
  #wanted = -1
  #writes = 0
  #isPlanned = false
  #isOver = false

  constructor(init: SessionInit) {
    this.#init = init
  }

  /** Whether there may be this many; if not, sees to it that there soon may. Hot path. */
  admits(unsettled: number): boolean {
    if (unsettled <= this.#stands) return true
    this.#wanted = unsettled
    if (!this.#isPlanned) this.#plan()
    return false
  }

  /** Sees to it that a session stands before what is noted next. */
  stand(unsettled: number): void {
    if (this.#asked < 0) this.#write(unsettled)
  }

  /** Allows for no more than this many from now on. */
  lower(unsettled: number): void {
    this.#wanted = unsettled
    if (this.#asked > unsettled) this.#write(unsettled)
  }

  /** Allows for no more than there were of late, where that is far less. */
  ease(unsettled: number): void {
    const enough = rounded(unsettled)
    if (enough * easeFactor <= this.#asked) this.lower(enough)
  }

  /**
   * Whoever reads the range next finds that its reader left in order, and how many deliveries that it never saw may have
   * been with one that vanished before it.
   */
  end({ unsettled, sinceMs }: Omit<Session, 'reader'>, done: () => void): void {
    const { channel, notes } = this.#init
    this.#stands = -1
    this.#isOver = true
    this.#writes += 1
    const note = unsettled === 0 ? undefined : sessionNote(channel, { reader: nobody, unsettled, sinceMs })
    notes.write(sessionName, note, done)
  }

  /** Once for all that came in one turn. */
  #plan(): void {
    this.#isPlanned = true
    queueMicrotask(() => {
      this.#isPlanned = false
      if (this.#isOver || this.#wanted <= this.#asked) return
      this.#write(rounded(this.#wanted))
    })
  }

  #write(unsettled: number): void {
    const { channel, reader, notes, raised } = this.#init
    this.#asked = unsettled
    this.#writes += 1
    const write = this.#writes
    // One that allows for less holds from the moment that it is asked for.
    this.#stands = Math.min(this.#stands, unsettled)
    notes.write(sessionName, sessionNote(channel, { reader, unsettled }), ({ ok }) => {
      if (!ok || this.#writes !== write) return
      this.#stands = unsettled
      raised()
    })
  }
}
