import type { TopologyDrift } from '@posthaste/contracts'
import type { Admin } from './admin.ts'
import { errorOf, isReply } from './errors.ts'

/*
 * AMQP can tell the server a queue's or an exchange's arguments, but not ask for them. What it does answer is which argument
 * differs, and both values; and of an exchange it compares one free text, the name of the alternate exchange. So a text
 * is kept as the alternate exchange of an internal exchange that nothing is ever published to: writing it once, comparing
 * it and reading it are each one step on the server.
 */

/** Writes a text under a name, unless there is one; tells which stands there now. */
export async function keepText(admin: Admin, name: string, text: string): Promise<KeptText> {
  const isNew = !(await exchangeExists(admin, name))
  try {
    await admin.run((channel) => channel.exchangeDeclare({ ...keeper(name), arguments: { [argument]: text } }))
    return { found: text, isNew }
  } catch (thrown) {
    return { found: currentOf(thrown) ?? refuse(thrown, name), isNew: false }
  }
}

/** What stands there. */
export interface KeptText {
  readonly found: string
  /** Whether it was written just now. */
  readonly isNew: boolean
}

/** The text under a name; undefined where there is none. */
export async function readText(admin: Admin, name: string): Promise<string | undefined> {
  if (!(await exchangeExists(admin, name))) return undefined
  // No text that is written is this one, so that the server objects, and says what it has.
  return (await keepText(admin, name, '?')).found
}

const argument = 'alternate-exchange'

function keeper(exchange: string) {
  return { exchange, type: 'fanout', durable: true, internal: true } as const
}

async function exchangeExists(admin: Admin, exchange: string): Promise<boolean> {
  try {
    await admin.run((channel) => channel.exchangeDeclare({ exchange, passive: true }))
    return true
  } catch (thrown) {
    if (isReply(thrown, 'NOT_FOUND')) return false
    throw errorOf(thrown, `looking for the exchange ${exchange}`)
  }
}

function refuse(thrown: unknown, name: string): never {
  throw errorOf(thrown, `declaring the exchange ${name}`)
}

/** What the server says to have instead of what it was told. */
function currentOf(thrown: unknown): string | undefined {
  return differenceIn(thrown)?.found
}

/** Which argument differs, and both values, as far as the server's text of 255 bytes says so. */
export function differenceIn(thrown: unknown): Omit<TopologyDrift, 'name'> | undefined {
  if (!isReply(thrown, 'PRECONDITION_FAILED') || !(thrown instanceof Error)) return undefined
  const match = /inequivalent arg '([^']+)' for .*: received (.*?) but current is (.*)$/.exec(thrown.message)
  const [, setting, wanted, found] = match ?? []
  if (setting === undefined || wanted === undefined || found === undefined) return undefined
  return { setting, wanted: plain(wanted), found: plain(found) }
}

/** The server says `'text'`, `the value '5' of type 'signedint'` or `none`. */
function plain(text: string): string {
  return /'([^']*)'?/.exec(text)?.[1] ?? text
}
