import { setTimeout as sleep } from 'node:timers/promises'
import type { DeadLetter, DeadLetters, RedriveOptions } from 'posthaste'
import { barredTarget, flows } from '../flows.ts'
import type { Healing } from '../healing.ts'
import type { GroupName } from '../journal.ts'
import type { Random } from '../random.ts'
import { deadLettersOf } from '../system.ts'
import type { Publisher } from './publisher.ts'

const pageSize = 20
/** What was buried before this long ago has been seen by whoever looks: a selection by time then means the same twice. */
const settledMs = 1_000

/** Gives dead letters back, most of them healed (the others die again), and removes some. */
export async function redrive(publisher: Publisher, healing: Healing, random: Random): Promise<void> {
  for (;;) {
    await sleep(random.integer(5, 50))
    const { contract, followers } = random.pick(flows)
    const { group, errors } = random.pick(followers)
    const apart = errors !== undefined && random.chance(0.7)
    const from = deadLettersOf(publisher.system.app, contract, { group, ...(apart && { target: barredTarget }) })
    const chance = random.next()
    const way = chance < 0.5 ? byPosition : chance < 0.8 ? byCode : byKey
    const selection = await way(from, random)
    if (selection === undefined || selection.letters.length === 0) continue
    const job = { ...selection, from, name: { channel: contract.type, group } }
    if (random.chance(0.25)) await discard(publisher, job)
    else await giveBack(publisher, job, { healing, random })
  }
}

/** Dead letters, and what selects them and no others. */
interface Selection {
  readonly letters: readonly DeadLetter[]
  readonly options: RedriveOptions
}

async function byPosition(from: DeadLetters, random: Random): Promise<Selection> {
  const page = await from.browse({ limit: pageSize })
  const letters = page.letters.filter(({ code }) => code !== 'BODY_MALFORMED' && random.chance(0.7))
  return { letters, options: { positions: letters.map(({ position }) => position) } }
}

async function byCode(from: DeadLetters, random: Random): Promise<Selection | undefined> {
  const code = random.pick(['HANDLER_REJECTED', 'ATTEMPTS_EXHAUSTED', 'HANDLER_FAILED', 'MESSAGE_EXPIRED'])
  return byWhere(from, { code })
}

async function byKey(from: DeadLetters): Promise<Selection | undefined> {
  const [first] = (await from.browse({ limit: 1 })).letters
  if (first?.key === undefined || first.code === 'BODY_MALFORMED') return undefined
  return byWhere(from, { key: first.key, code: first.code })
}

async function byWhere(from: DeadLetters, given: NonNullable<RedriveOptions['where']>): Promise<Selection | undefined> {
  const where = { ...given, untilMs: Date.now() - settledMs }
  const page = await from.browse({ where, limit: pageSize })
  // A selection of more than was seen would move what is not journaled.
  return page.next === undefined ? { letters: page.letters, options: { where } } : undefined
}

interface Job extends Selection {
  readonly from: DeadLetters
  /** The group that failed them. */
  readonly name: GroupName
}

async function giveBack(
  { system: { journal } }: Publisher,
  { letters, options, from, name }: Job,
  { healing, random }: { readonly healing: Healing; readonly random: Random },
): Promise<void> {
  for (const { id, code } of letters) {
    // Unhealed poison would only cost lives.
    if (code === 'ATTEMPTS_EXHAUSTED' || random.chance(0.8)) healing.heal(name.group, id)
    journal.write({ t: 'redriving', ...name, id })
  }
  const { failed } = await from.redrive(options)
  const missed = new Set(failed.map(({ id }) => id))
  for (const { id } of letters) {
    if (!missed.has(id)) journal.write({ t: 'redriven', ...name, id })
  }
}

async function discard({ system: { journal } }: Publisher, { letters, options, from, name }: Job): Promise<void> {
  for (const { id } of letters) journal.write({ t: 'discarding', ...name, id })
  const { failed } = await from.discard(options)
  const missed = new Set(failed.map(({ id }) => id))
  for (const { id } of letters) {
    if (!missed.has(id)) journal.write({ t: 'discarded', ...name, id })
  }
}
