import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { type MessageContext, reject } from 'posthaste'
import { Downstream, type Plan, type TortureData, Upstream } from './contracts.ts'
import type { Healing } from './healing.ts'
import type { Journal, Place } from './journal.ts'

/** What handlers write to and ask. */
export interface HandlerDeps {
  readonly journal: Journal
  readonly healing: Healing
}

/** A handler that does what the plan of each message says, and journals what it sees and does. */
export function handlerOf(
  at: { readonly channel: string; readonly group: string },
  { journal, healing }: HandlerDeps,
): (data: TortureData, context: MessageContext) => void | Promise<void> {
  const succeed = (place: Place): void => journal.write({ t: 'end', ...place, outcome: 'success' })

  const fail = (place: Place, plan: Plan, context: MessageContext): void => {
    const hopeless = plan.kind === 'hopeless' || (plan.kind === 'flaky' && context.attempt <= plan.failures)
    if (plan.kind === 'poison') {
      journal.write({ t: 'suicide', ...place })
      process.kill(process.pid, 'SIGKILL')
    } else if (plan.kind === 'rejected') {
      journal.write({ t: 'end', ...place, outcome: 'rejection' })
      throw reject('rejected as planned')
    } else if (hopeless) {
      journal.write({ t: 'end', ...place, outcome: 'failure' })
      throw new Error('failed as planned')
    }
  }

  return (data, context) => {
    const place = { ...at, id: context.id }
    const { attempt, key } = context
    journal.write({ t: 'start', ...place, key, attempt, sum: crc32(JSON.stringify(data)), atMs: Date.now() })
    const { plan } = data
    // Published before it fails, so that what must not leave is there to leave.
    const published = at.channel === Upstream.type ? publishDownstream(data, context, journal) : undefined
    if (plan.at === at.group && !healing.isHealed(at.group, context.id)) fail(place, plan, context)
    if (plan.kind !== 'slow') return published === undefined ? succeed(place) : published.then(() => succeed(place))
    const workMs = Number(data.seq) % 12
    return Promise.all([sleep(workMs), published]).then(() => succeed(place))
  }
}

async function publishDownstream(data: TortureData, context: MessageContext, journal: Journal): Promise<void> {
  const { key, seq } = data
  const made: TortureData = {
    id: '',
    key,
    seq,
    plan: { kind: 'fine', at: '', failures: 0 },
    note: `because of ${data.id}`,
  }
  const { id } = await context.publish(Downstream, made)
  const body = Buffer.from(JSON.stringify(made)).toString('base64')
  journal.write({ t: 'derived', id, of: context.id, channel: Downstream.type, key, seq, body })
}
