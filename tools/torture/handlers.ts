import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { type BatchMessage, type BatchOutcome, type MessageContext, PosthasteError, reject } from 'posthaste'
import { Ask, type Plan, type TortureData } from './contracts.ts'
import { type Flow, RuledError } from './flows.ts'
import type { Healing } from './healing.ts'
import type { End, GroupName, Journal, Place } from './journal.ts'

/** What handlers write to and ask. */
export interface HandlerDeps {
  readonly journal: Journal
  readonly healing: Healing
}

/** A handler's place, and what it publishes for each message. */
export interface HandlerPlace extends GroupName {
  readonly leadsTo?: Flow['leadsTo']
}

/** CRC-32 of data as JSON. */
export function sumOf(data: unknown): number {
  return crc32(JSON.stringify(data))
}

/** A handler that does what the plan of each message says, and journals what it sees and does. */
export function handlerOf(
  at: HandlerPlace,
  deps: HandlerDeps,
): (data: TortureData, context: MessageContext) => unknown {
  const { journal } = deps
  const { channel, group } = at

  const succeed = (place: Place, data: TortureData): unknown => {
    journal.write({ t: 'end', ...place, outcome: 'success' })
    return channel === Ask.type ? { of: data.id, sum: sumOf(data) } : undefined
  }

  return (data, context) => {
    const place = { channel, group, id: context.id }
    began(context, { place, sum: sumOf(data) }, deps)
    // Published before it fails, so that what must not leave is there to leave.
    const published = at.leadsTo && publishFor(at.leadsTo, { data, context, journal })
    const failure = failureOf(data.plan, { place, context }, deps)
    if (failure !== undefined) throw failure
    if (data.plan.kind !== 'slow')
      return published === undefined ? succeed(place, data) : published.then(() => succeed(place, data))
    return Promise.all([sleep(workMs(data)), published]).then(() => succeed(place, data))
  }
}

/** The same for several messages at a time, with an outcome for each. */
export function batchHandlerOf(
  at: HandlerPlace,
  deps: HandlerDeps,
): (messages: readonly BatchMessage<TortureData>[]) => Promise<readonly BatchOutcome[]> {
  const { channel, group } = at
  let batch = 0
  return async (messages) => {
    batch += 1
    for (const message of messages) {
      began(message, { place: { channel, group, id: message.id }, sum: sumOf(message.data), batch }, deps)
    }
    await sleep(Math.max(0, ...messages.map(({ data }) => (data.plan.kind === 'slow' ? workMs(data) : 0))))
    return messages.map((message) => {
      const place = { channel, group, id: message.id }
      const failure = failureOf(message.data.plan, { place, context: message }, deps)
      if (failure === undefined) deps.journal.write({ t: 'end', ...place, outcome: 'success' })
      return failure && PosthasteError.from(failure, 'HANDLER_FAILED', 'failed as planned')
    })
  }
}

/** A handler that sees what comes, whatever it is. */
export function witnessOf(group: string, deps: HandlerDeps): (data: object, context: MessageContext) => void {
  return (_data, context) => {
    const place = { channel: context.type, group, id: context.id }
    began(context, { place }, deps)
    deps.journal.write({ t: 'end', ...place, outcome: 'success' })
  }
}

const json = 'application/json'
const workMs = ({ seq }: TortureData): number => seq % 12

interface Beginning {
  readonly place: Place
  readonly sum?: number
  readonly batch?: number
}

function began(context: MessageContext, { place, sum, batch }: Beginning, { journal }: HandlerDeps): void {
  const { attempt, key, headers } = context
  const { dataref, datacontenttype } = headers
  const format = datacontenttype === json ? undefined : datacontenttype
  const claimed = dataref === undefined ? undefined : true
  journal.write({ t: 'start', ...place, key, attempt, sum, atMs: Date.now(), batch, format, claimed })
}

interface Attempt {
  readonly place: Place
  readonly context: MessageContext
}

/** What an attempt fails with, if it is to; poison does not return. */
function failureOf(plan: Plan, { place, context }: Attempt, { journal, healing }: HandlerDeps): Error | undefined {
  if (plan.at !== place.group || healing.isHealed(place.group, place.id)) return undefined
  const fail = (outcome: End['outcome'], error: Error): Error => {
    journal.write({ t: 'end', ...place, outcome })
    return error
  }
  switch (plan.kind) {
    case 'poison':
      journal.write({ t: 'suicide', ...place })
      process.kill(process.pid, 'SIGKILL')
      return undefined
    case 'rejected':
      return fail('rejection', reject('rejected as planned'))
    case 'barred':
    case 'ignored':
      return fail(plan.kind, new RuledError(plan.kind))
    case 'hopeless':
      return fail('failure', new Error('failed as planned'))
    case 'flaky':
      return context.attempt <= plan.failures ? fail('failure', new Error('failed as planned')) : undefined
    default:
      return undefined
  }
}

interface Outgoing {
  readonly data: TortureData
  readonly context: MessageContext
  readonly journal: Journal
}

async function publishFor(contract: NonNullable<Flow['leadsTo']>, { data, context, journal }: Outgoing): Promise<void> {
  const { key, seq } = data
  const plan: Plan = { kind: 'fine', at: '', failures: 0 }
  const made: TortureData = { id: '', key, seq, plan, note: `because of ${data.id}` }
  const { id } = await context.publish(contract, made)
  const said = { id, of: context.id, channel: contract.type, seq, sum: sumOf(made) }
  journal.write({ t: 'derived', ...said, key: contract.key && key })
}
