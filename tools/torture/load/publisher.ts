import { type Plan, Revised, RevisedBefore, type TortureContract, type TortureData } from '../contracts.ts'
import { flowOf, usual } from '../flows.ts'
import { sumOf } from '../handlers.ts'
import type { Intent } from '../journal.ts'
import type { Random } from '../random.ts'
import type { System } from '../system.ts'

/** Messages of a life are numbered from here, so that numbers grow over all lives. */
export const seqPerLife = 1_000_000
const keyCount = 12
const noteRepeatsMax = 12

/** What is said about one message beside its data. */
export interface Saying {
  readonly headers?: Readonly<Record<string, string>>
  readonly priority?: number
}

/** Makes messages, and journals each before and after it is published. */
export class Publisher {
  readonly system: System
  readonly life: number
  #count = 0

  constructor(system: System, life: number) {
    this.system = system
    this.life = life
  }

  /** A message of the next number. */
  make(contract: TortureContract, random: Random, given: { plan?: Plan; note?: string } = {}): TortureData {
    const count = ++this.#count
    const key = contract.key === undefined ? '' : `key-${random.integer(1, keyCount)}`
    const plan = given.plan ?? planFor(contract, random)
    const note = given.note ?? 'text – ü '.repeat(random.integer(0, noteRepeatsMax))
    return { id: `${this.life}-${count}`, key, seq: this.life * seqPerLife + count, plan, note }
  }

  /** Says that a message is about to be published. */
  intend(contract: TortureContract, data: TortureData, more: Partial<Intent> = {}): void {
    const { id, seq, plan } = data
    const { timeToLiveMs, codec } = contract
    const key = contract.key === undefined ? undefined : data.key
    const said = { id, channel: contract.type, key, seq, plan, sum: sumOf(data), atMs: Date.now(), timeToLiveMs }
    this.system.journal.write({ t: 'intent', ...said, format: codec?.contentType, ...more })
  }

  /** Says that a message was published, once it is. */
  async confirmed(id: string, publish: () => Promise<unknown>): Promise<boolean> {
    const { journal } = this.system
    try {
      await publish()
    } catch (error) {
      journal.write({ t: 'error', text: `publishing ${id}: ${String(error)}` })
      return false
    }
    journal.write({ t: 'confirmed', id })
    return true
  }

  /** Publishes what is intended already. */
  send(contract: TortureContract, data: TortureData, saying: Saying = {}): Promise<boolean> {
    const { app } = this.system
    const options = { id: data.id, ...saying }
    return this.confirmed(data.id, () =>
      contract.kind === 'event' ? app.publish(contract, data, options) : app.send(contract, data, options),
    )
  }

  /** Publishes as a program would that does not know the newest version yet. */
  sendRevisedBefore(data: TortureData, headers: Readonly<Record<string, string>>): Promise<boolean> {
    const { note: remark, ...rest } = data
    const old = { ...rest, remark }
    this.intend(Revised, data, { bodySum: sumOf(old), headers })
    return this.confirmed(data.id, () => this.system.app.publish(RevisedBefore, old, { id: data.id, headers }))
  }
}

/** Most messages are fine, as in real life; the others go wrong in one group of those that handle them. */
function planFor(contract: TortureContract, random: Random): Plan {
  const { followers, ills = usual } = flowOf(contract)
  const at = followers.length === 0 ? '' : random.pick(followers).group
  const kind = kindBy(random.next())
  if (!ills.includes(kind)) return { kind: 'fine', at, failures: 0 }
  return { kind, at, failures: kind === 'flaky' ? random.integer(1, 3) : 0 }
}

const shares: readonly (readonly [Plan['kind'], number])[] = [
  ['hopeless', 0.004],
  ['rejected', 0.008],
  ['barred', 0.02],
  ['ignored', 0.02],
  ['flaky', 0.04],
  ['slow', 0.1],
]

function kindBy(chance: number): Plan['kind'] {
  let sum = 0
  for (const [kind, share] of shares) {
    sum += share
    if (chance < sum) return kind
  }
  return 'fine'
}
