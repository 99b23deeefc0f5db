import type { CommandContract, DataIn, EventContract, MessageContext } from 'posthaste'
import { messages } from '../contracts.ts'
import { type Store, type Transaction, table } from './store.ts'

type MessageContract = EventContract | CommandContract

/** A message that a service wants sent once its change of state stands. */
export interface Outgoing {
  readonly type: string
  readonly data: unknown
  /** When it may be handled, milliseconds since the epoch. Default: at once. */
  readonly atMs?: number | undefined
}

/** A message to send, in the form the inbox keeps. */
export function say<C extends MessageContract>(contract: C, data: DataIn<C>, atMs?: number): Outgoing {
  return { type: contract.type, data, atMs }
}

/** What a handler does: reads and changes tables, and says what is to be sent. Must not wait for anything. */
export type Effect<Data> = (data: Data, tx: Transaction) => readonly Outgoing[] | undefined

/** What was sent when a message was handled, by the message's type, its group and its id. */
const inbox = table<readonly Outgoing[]>('inbox')
const contracts = new Map<string, MessageContract>(messages.map((contract) => [contract.type, contract]))

/**
 * Makes a handler whose effect happens once, however often its message is delivered. The effect and a mark of the message
 * are one transaction. If the process dies after that and before the acknowledgement, the message comes again: the mark
 * then says what is to be sent, and as ids are derived from the message's own, these are the same messages again.
 *
 * Marks are kept for ever here; a real shop would drop those older than its messages can be.
 */
export function once<Data>(store: Store, effect: Effect<Data>) {
  return async (data: Data, context: MessageContext): Promise<void> => {
    const { type, group, id } = context
    const outgoing = await store.transact((tx) => {
      const sent = tx.get(inbox, type, group, id)
      if (sent !== undefined) return sent
      const wanted = effect(data, tx) ?? []
      tx.put(inbox, [type, group, id], wanted)
      return wanted
    })
    for (const message of outgoing) await send(message, context)
  }
}

function send({ type, data, atMs }: Outgoing, context: MessageContext): Promise<unknown> {
  const contract = contracts.get(type)
  if (contract === undefined) throw new Error(`the shop has no contract '${type}'`)
  if (atMs !== undefined) return context.schedule(contract, data, { atMs })
  return contract.kind === 'event'
    ? context.publish(contract as EventContract, data)
    : context.send(contract as CommandContract, data)
}
