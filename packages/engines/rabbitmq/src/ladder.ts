import type { Channel } from 'rabbitmq-client'
import type { Admin } from './admin.ts'

/*
 * Delays of any length without a plugin: a ladder of queues whose messages expire after 16 ms, 32 ms, 64 ms … and are
 * dead-lettered into the next lower level. The routing key says in binary digits at which levels a message stops, and
 * behind them, as one word, where it goes at last. A message leaves up to a step late and never early, so that it takes
 * its place behind what was there before it was due. There is one ladder per vhost.
 * @see https://docs.particular.net/transports/rabbitmq/delayed-delivery
 */

/** How much too late a message may leave the ladder, in milliseconds. */
export const stepMs = 16
const levels = 28

const base = 'posthaste~'
/** Where messages leave the ladder: a topic exchange that everything that may be delayed is bound to. */
export const dueExchange = `${base}due`
const undeliverable = `${base}undeliverable`
const anyBits = Array(levels).fill('*').join('.')

/** Where a message enters the ladder. */
export interface Entry {
  readonly exchange: string
  readonly routingKey: string
}

/** The way of a message that is due in `delayMs`; undefined where that is no delay. */
export function entryOf(delayMs: number, target: string): Entry | undefined {
  const steps = Math.ceil(Math.min(delayMs, delayMsMax) / stepMs)
  if (!(steps >= 1)) return undefined
  const bits = steps.toString(2)
  const key = bits.padStart(levels, '0').split('').join('.')
  return { exchange: levelName(bits.length - 1), routingKey: `${key}.${target}` }
}

/** About 50 days; what takes longer goes through it again. */
export const delayMsMax = (2 ** levels - 1) * stepMs

/** The binding of `dueExchange` for a target, and all that stands behind it. */
export function patternOf(target: string): string {
  return `${anyBits}.${target}.#`
}

/** Whether an exchange is a level of the ladder. */
export function isLadder(exchange: string): boolean {
  return exchange.startsWith(`${base}delay-`)
}

/** Makes the ladder exist. Idempotent. */
export async function declareLadder(admin: Admin): Promise<void> {
  await admin.tell('declaring the delay ladder', async (channel) => {
    await channel.exchangeDeclare({ exchange: undeliverable, type: 'fanout', durable: true })
    await channel.queueDeclare({ queue: undeliverable, durable: true, arguments: lastResort })
    await channel.queueBind({ exchange: undeliverable, queue: undeliverable })
    // A message whose target was deleted meanwhile would otherwise stay at the head of its level and hold up all others.
    const argumentsOfDue = { 'alternate-exchange': undeliverable }
    await channel.exchangeDeclare({ exchange: dueExchange, type: 'topic', durable: true, arguments: argumentsOfDue })
    for (let level = 0; level < levels; level += 1) await declareLevel(channel, level)
  })
}

async function declareLevel(channel: Channel, level: number): Promise<void> {
  const name = levelName(level)
  const next = level === 0 ? dueExchange : levelName(level - 1)
  await channel.exchangeDeclare({ exchange: name, type: 'topic', durable: true })
  await channel.queueDeclare({
    queue: name,
    durable: true,
    arguments: {
      'x-queue-type': 'quorum',
      'x-message-ttl': stepMs * 2 ** level,
      'x-dead-letter-exchange': next,
      // Confirmed by the next level before it leaves this one.
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
    },
  })
  const above = '*.'.repeat(levels - 1 - level)
  await channel.queueBind({ queue: name, exchange: name, routingKey: `${above}1.#` })
  await channel.exchangeBind({ destination: next, source: name, routingKey: `${above}0.#` })
}

/** Kept for people to look at, not without bound. */
const lastResort = { 'x-queue-type': 'quorum', 'x-max-length': 10_000, 'x-message-ttl': 604_800_000 } as const

function levelName(level: number): string {
  return `${base}delay-${stepMs}ms-${String(level).padStart(2, '0')}`
}
