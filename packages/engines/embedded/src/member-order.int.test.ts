import type { Delivery } from '@posthaste/contracts'
import { systemClock } from 'posthaste/pipeline'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Directories } from '../test/installation.ts'
import { record } from '../test/records.ts'
import { declared, opened, published } from '../test/rig.ts'
import type { DurableSubscription } from './durable-engine.ts'
import type { EmbeddedEngine } from './engine.ts'

let directories = new Directories()
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => directories.remove())

/** Numbers from 0 up to 1, the same for the same seed. */
function seededFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return state / 0x7fffffff
  }
}

const rest = (ms: number) => new Promise<void>((resolve) => void systemClock.setTimer(ms, resolve))
const numberOf = (id: string) => Number(id.split('-')[1])

/** What members began, by key, in the order of the first beginnings. */
class Ledger {
  readonly begun = new Set<string>()
  readonly outOfOrder: string[] = []
  readonly #highest = new Map<string, number>()

  begins({ record: { id, key = '' } }: Delivery): void {
    if (this.begun.has(id)) return
    this.begun.add(id)
    const highest = this.#highest.get(key) ?? -1
    if (numberOf(id) < highest) this.outOfOrder.push(`${id} after ${highest}`)
    this.#highest.set(key, Math.max(highest, numberOf(id)))
  }
}

/** Works as a process does: one of a key at a time; where one fails, what waits behind it is handed back. */
class Worker {
  isAlive = true
  readonly #chains = new Map<string, Delivery[]>()
  readonly #ledger: Ledger
  readonly #random: () => number
  #subscription: DurableSubscription | undefined

  private constructor(ledger: Ledger, random: () => number) {
    this.#ledger = ledger
    this.#random = random
  }

  static async join(engine: EmbeddedEngine, ledger: Ledger, random: () => number): Promise<Worker> {
    const worker = new Worker(ledger, random)
    const sink = { deliver: (batch: readonly Delivery[]) => worker.#take(batch), lost() {}, closed() {} }
    worker.#subscription = await engine.subscribe({ channel: 'c', group: 'g', member: 'm' }, sink)
    worker.#subscription.grant(1 + Math.floor(random() * 20))
    return worker
  }

  async end(how: 'vanish' | 'stop'): Promise<void> {
    this.isAlive = false
    await this.#subscription?.[how]()
  }

  #take(batch: readonly Delivery[]): void {
    for (const delivery of batch) {
      const key = delivery.record.key ?? ''
      const chain = this.#chains.get(key)
      if (chain !== undefined) chain.push(delivery)
      else {
        this.#chains.set(key, [delivery])
        void this.#work(key)
      }
    }
  }

  async #work(key: string): Promise<void> {
    const chain = this.#chains.get(key) ?? []
    while (this.isAlive && chain[0] !== undefined) {
      const [first] = chain
      this.#ledger.begins(first)
      await rest(this.#random() * 4)
      if (!this.isAlive) return
      const isToFail = numberOf(first.record.id) % 5 === 3 && first.attempt === 1
      const ended = isToFail ? chain.splice(0) : chain.splice(0, 1)
      const visibleAtMs = systemClock.nowMs() + this.#random() * 30
      const settling = this.#subscription?.settle([
        isToFail
          ? { kind: 'release', tag: first.tag, countsAttempt: true, holdKey: true, visibleAtMs }
          : { kind: 'ack', tag: first.tag },
      ])
      // Those that have just come are handed back one after the other.
      for (const { tag } of ended.slice(1))
        await this.#subscription?.settle([{ kind: 'release', tag, countsAttempt: false }])
      await settling
      if (this.isAlive) this.#subscription?.grant(ended.length)
    }
    this.#chains.delete(key)
  }
}

it.each([1, 2, 3, 4, 5, 6])(
  'keeps the order of each key while members come, fail, leave and vanish: %d',
  async (seed) => {
    const random = seededFrom(seed)
    const { engine } = await opened(directories.fresh())
    await declared(engine, ['g'], { from: 'next' })
    const ledger = new Ledger()
    const workers = [await Worker.join(engine, ledger, random), await Worker.join(engine, ledger, random)]
    const keys = ['a', 'b', 'c', 'd']
    const each = 40
    const publishing = keys.map(async (key) => {
      for (let n = 0; n < each; n++) {
        await published(engine, record(`${key}-${n}`, { key }))
        if (random() < 0.5) await rest(random() * 6)
      }
    })
    for (let times = 0; times < 14; times++) {
      await rest(random() * 25)
      const at = Math.floor(random() * workers.length)
      const gone = workers[at]!
      gone.isAlive = false
      await rest(random() * 20)
      const ended = gone.end(random() < 0.7 ? 'vanish' : 'stop')
      workers[at] = await Worker.join(engine, ledger, random)
      await ended
    }
    await Promise.all(publishing)
    while (ledger.begun.size < keys.length * each && ledger.outOfOrder.length === 0) await rest(5)
    expect(ledger.outOfOrder).toEqual([])
    for (const worker of workers) worker.isAlive = false
    await engine.close()
  },
)
