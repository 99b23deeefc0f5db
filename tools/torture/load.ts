import { setTimeout as sleep } from 'node:timers/promises'
import type { CommandContract, EventContract } from '@posthaste/contracts'
import { type Flow, flows, Keyed, Plain, type Plan, Timed, type TortureData, Upstream, Work } from './contracts.ts'
import type { Healing } from './healing.ts'
import { type Random, seededRandom } from './random.ts'
import { deadLettersOf, type System } from './system.ts'

/** What distinguishes one life's load from another's. */
export interface LoadOptions {
  readonly seed: number
  readonly life: number
  /** Whether one message of this life kills whoever handles it. */
  readonly poison: boolean
}

type Contract = Flow['contract']

/** Messages of a life are numbered from here, so that numbers grow over all lives. */
const seqPerLife = 1_000_000
const keyCount = 12
const poisonAfterMsMax = 250

/**
 * Publishes, schedules, cancels and redrives until the process is killed. Everything random comes from the seed and the
 * number of the life.
 */
export class Load {
  readonly #system: System
  readonly #healing: Healing
  readonly #options: LoadOptions
  #count = 0

  constructor(system: System, healing: Healing, options: LoadOptions) {
    this.#system = system
    this.#healing = healing
    this.#options = options
  }

  /** Never resolves while all is well. */
  async run(): Promise<void> {
    const publishers = [Keyed, Keyed, Plain, Work, Upstream, Upstream].map((contract, index) =>
      this.#publishFor(contract, this.#random(index)),
    )
    const others = [this.#scheduleFor(this.#random(10)), this.#redriveFor(this.#random(11))]
    if (this.#options.poison) others.push(this.#poison(this.#random(12)))
    await Promise.all([...publishers, ...others])
  }

  #random(index: number): Random {
    return seededRandom(this.#options.seed, this.#options.life * 100 + index)
  }

  /** Bursts of a publisher that awaits them all together, and pauses in between. */
  async #publishFor(contract: Contract, random: Random): Promise<void> {
    for (;;) {
      const burst = Array.from({ length: random.integer(1, 12) }, () =>
        this.#publish(contract, planFor(contract, random), random),
      )
      if (random.chance(0.01)) burst.push(this.#publishMalformed(contract, random))
      await Promise.all(burst)
      await sleep(random.integer(0, 30))
    }
  }

  async #publish(contract: Contract, plan: Plan, random: Random): Promise<void> {
    const data = this.#make(contract, plan, random)
    const { id } = data
    const tag = `tag of ${id}, ü`
    this.#intend(contract, data, { tag })
    await this.#confirmed(id, () => this.#send(contract, data, { id, headers: { torturetag: tag } }))
  }

  /** Bytes that are no JSON, past the bus, as a foreign program would publish them. */
  async #publishMalformed(contract: Contract, random: Random): Promise<void> {
    const data = this.#make(contract, { kind: 'malformed', at: '', failures: 0 }, random)
    const { id, key } = data
    const body = Buffer.concat([Buffer.from(`{"id":"${id}`), Buffer.from([0xff, 0, 0xc3, random.integer(0, 255)])])
    this.#intend(contract, data, { body })
    const headers = { type: contract.type, source: '/foreign', datacontenttype: 'application/json' }
    const record = { id, channel: contract.type, key: contract.key && key, headers, body }
    await this.#confirmed(id, async () => {
      const [outcome] = await this.#system.engine.publish([record])
      if (outcome?.ok !== true) throw outcome?.error ?? new Error('no outcome')
    })
  }

  /** One message that kills its handler's process, until it is dead-lettered. */
  async #poison(random: Random): Promise<void> {
    await sleep(random.integer(0, poisonAfterMsMax))
    const { contract, groups } = random.pick(
      flows.filter(({ contract }) => contract !== Timed && this.#isFed(contract)),
    )
    await this.#publish(contract, { kind: 'poison', at: random.pick(groups), failures: 0 }, random)
  }

  #isFed(contract: Contract): boolean {
    return contract === Keyed || contract === Plain || contract === Work || contract === Upstream
  }

  async #scheduleFor(random: Random): Promise<void> {
    const cancels = new Set<Promise<void>>()
    for (;;) {
      const data = this.#make(Timed, planFor(Timed, random), random)
      const dueAtMs = Date.now() + random.integer(10, 1_200)
      this.#intend(Timed, data, { dueAtMs })
      await this.#confirmed(data.id, () => this.#system.app.schedule(Timed, data, { id: data.id, atMs: dueAtMs }))
      if (random.chance(0.3)) {
        const cancel = this.#cancelLater(data.id, random.integer(0, 600)).finally(() => cancels.delete(cancel))
        cancels.add(cancel)
      }
      await sleep(random.integer(0, 12))
    }
  }

  async #cancelLater(id: string, afterMs: number): Promise<void> {
    const { app, journal } = this.#system
    await sleep(afterMs)
    journal.write({ t: 'cancelling', id })
    const wasWaiting = await app.cancel(Timed, id)
    journal.write({ t: 'cancelled', id, wasWaiting })
  }

  /** Gives dead letters back, most of them healed: the others die again. */
  async #redriveFor(random: Random): Promise<void> {
    const { app, journal } = this.#system
    for (;;) {
      await sleep(random.integer(50, 200))
      const { contract, groups } = random.pick(flows)
      const group = random.pick(groups)
      const letters = deadLettersOf(app, contract, group)
      const page = await letters.browse({ limit: 20 })
      const chosen = page.letters.filter(({ code }) => code !== 'BODY_MALFORMED' && random.chance(0.7))
      if (chosen.length === 0) continue
      for (const { id, code } of chosen) {
        // Unhealed poison would only cost lives.
        if (code === 'ATTEMPTS_EXHAUSTED' || random.chance(0.8)) this.#healing.heal(group, id)
        journal.write({ t: 'redriving', channel: contract.type, group, id })
      }
      const { failed } = await letters.redrive({ positions: chosen.map(({ position }) => position) })
      const missed = new Set(failed.map(({ id }) => id))
      for (const { id } of chosen) {
        if (!missed.has(id)) journal.write({ t: 'redriven', channel: contract.type, group, id })
      }
    }
  }

  #make(contract: Contract, plan: Plan, random: Random): TortureData {
    const { life } = this.#options
    const count = ++this.#count
    const key = contract.key === undefined ? '' : `key-${random.integer(1, keyCount)}`
    const note = 'text – ü '.repeat(random.integer(0, 12))
    return { id: `${life}-${count}`, key, seq: life * seqPerLife + count, plan, note }
  }

  #intend(contract: Contract, data: TortureData, more: { body?: Buffer; tag?: string; dueAtMs?: number }): void {
    const { id, seq, plan } = data
    const body = (more.body ?? Buffer.from(JSON.stringify(data))).toString('base64')
    const key = contract.key === undefined ? undefined : data.key
    this.#system.journal.write({ t: 'intent', id, channel: contract.type, key, seq, plan, ...more, body })
  }

  async #confirmed(id: string, publish: () => Promise<unknown>): Promise<void> {
    const { journal } = this.#system
    try {
      await publish()
    } catch (error) {
      journal.write({ t: 'error', text: `publishing ${id}: ${String(error)}` })
      return
    }
    journal.write({ t: 'confirmed', id })
  }

  #send(contract: EventContract | CommandContract, data: unknown, options: SendOptions): Promise<unknown> {
    const { app } = this.#system
    return contract.kind === 'event' ? app.publish(contract, data, options) : app.send(contract, data, options)
  }
}

interface SendOptions {
  readonly id: string
  readonly headers: Readonly<Record<string, string>>
}

/** Most messages are fine, as in real life; the others go wrong in one group of those that handle them. */
function planFor(contract: Contract, random: Random): Plan {
  const { groups } = flows.find((flow) => flow.contract === contract)!
  const at = random.pick(groups)
  const chance = random.next()
  if (chance < 0.004) return { kind: 'hopeless', at, failures: 0 }
  if (chance < 0.012) return { kind: 'rejected', at, failures: 0 }
  if (chance < 0.05) return { kind: 'flaky', at, failures: random.integer(1, 3) }
  if (chance < 0.15) return { kind: 'slow', at, failures: 0 }
  return { kind: 'fine', at, failures: 0 }
}
