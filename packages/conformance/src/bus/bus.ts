import type { CommandContract, Engine, EventContract, Schema } from '@posthaste/contracts'
import { command, event } from '@posthaste/contracts'
import { type Bus, type BusOptions, createBus } from 'posthaste/bus'
import type { CaseContext } from '../context.ts'

/** What the messages of these cases say: which one it is, and whose turn. */
export interface Note {
  readonly n: number
  readonly key?: string
  readonly text?: string
}

/** A schema that takes what it is given: cases are about moving messages, not about checking them. */
export function anything<T>(): Schema<T> {
  return { '~standard': { version: 1, vendor: 'conformance', validate: (value) => ({ value: value as T }) } }
}

/** What an event of a case says beside its type. */
export type EventWish = Partial<Omit<EventContract<Schema<Note>>, 'kind'>>

/** An event without keys that no other case has. */
export function plainEvent(context: CaseContext, wish: EventWish = {}): EventContract<Schema<Note>> {
  const { type = context.unique('noted'), ...options } = wish
  return event(type, { data: anything<Note>(), ...options })
}

/** An event whose order per key matters. */
export function keyedEvent(context: CaseContext, wish: EventWish = {}): EventContract<Schema<Note>> {
  return plainEvent(context, { key: (note) => note.key ?? 'k', ...wish })
}

/** A command without keys that no other case has. */
export function plainCommand(
  context: CaseContext,
  wish: Partial<Omit<CommandContract<Schema<Note>, undefined>, 'kind'>> = {},
): CommandContract<Schema<Note>, undefined> {
  const { type = context.unique('order'), ...options } = wish
  return command(type, { data: anything<Note>(), ...options })
}

/** What a case says about its bus. */
export type BusWish = Partial<Omit<BusOptions, 'clock'>>

/** A bus that is not started yet. It is closed before the engine, without grace, whatever becomes of the case. */
export function newBus(context: CaseContext, wish: BusWish = {}): Bus {
  const engine: Engine = wish.engine ?? context.engine
  const instance = context.unique('instance')
  const own = {
    name: 'conformance',
    engine,
    clock: context.clock,
    log: context.underTest.host.log,
    instance,
    random: () => 0.5,
  }
  const bus = createBus({ ...own, ...wish })
  context.defer(() => closeBus(context, bus))
  return bus
}

/** A started bus with the handlers that `register` gives it. */
export async function startedBus(
  context: CaseContext,
  register: (bus: Bus) => void = () => {},
  wish: BusWish = {},
): Promise<Bus> {
  const bus = newBus(context, wish)
  register(bus)
  await context.through(bus.start(), 'the start of the bus')
  return bus
}

/** Closes a bus; by default handlers get no time to end. */
export function closeBus(context: CaseContext, bus: Bus, graceMs = 0): Promise<void> {
  return context.through(bus.close({ graceMs }), 'the close of the bus')
}

/** Publishes many notes and expects all to be confirmed. @returns their ids, in order */
export async function publishNotes(
  bus: Bus,
  contract: EventContract<Schema<Note>> | CommandContract<Schema<Note>>,
  notes: readonly Note[],
): Promise<readonly string[]> {
  const results = await bus.publishAll(contract, notes)
  return results.map((result) => {
    if (!result.ok) throw result.error
    return result.id
  })
}

/** `count` notes numbered from 0, shared out over `keys` keys where there are any. */
export function notes(count: number, keys = 0): readonly Note[] {
  return Array.from({ length: count }, (_, n) => (keys === 0 ? { n } : { n, key: `k${n % keys}` }))
}
