import type { Timer } from '@posthaste/contracts'
import type { Channel } from 'rabbitmq-client'
import type { AckWindow } from './ack-window.ts'
import type { ControlMessage } from './control-messages.ts'
import type { Held } from './held.ts'
import type { NoteBook } from './note-book.ts'
import type { Receipts } from './receipts.ts'

/** One stay in the line, as long as its channel lives. */
export interface Session {
  readonly channel: Channel
  /** `fencing`: the server feeds this member, which does not know yet that it has seen everything. */
  state: 'inLine' | 'fencing' | 'assigned'
  readonly fence: string
  readonly seen: ControlMessage[]
  readonly ack: (deliveryTag: number) => void
  /** How many messages of the control queue were acknowledged. */
  acked: number
  readonly book: NoteBook
  readonly receipts: Receipts
  records?: Records
  /** While it is given up: the last fence, which comes behind all that was noted, and who waits for it. */
  last?: { readonly fence: string; readonly came: () => void }
  /** The fence, once it came. */
  token?: number | undefined
  timer?: Timer
  /** What was first in the buffer the last time. */
  firstBuffered?: Held | undefined
}

/** The channel that the records come over. */
export interface Records {
  readonly channel: Channel
  readonly acks: AckWindow
  readonly receipts: Receipts
}
