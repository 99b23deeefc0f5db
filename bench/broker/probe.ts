import { type BrokerEngine, broker } from '@posthaste/broker'
import { systemClock } from 'posthaste/pipeline'

const everyMs = 10
const silent = (): void => {}
const log = { debug: silent, info: silent, warn: silent, error: console.error }

/** One client that publishes all the time, one message after the other, and notes how long each takes until it is confirmed. */
export class Probe {
  readonly #engine: BrokerEngine
  #latencies: number[] = []
  #isOver = false
  #ended: Promise<void>

  private constructor(engine: BrokerEngine) {
    this.#engine = engine
    this.#ended = this.#run()
  }

  /** Makes the channels that the clients use, and begins. */
  static async open(url: string, { channels }: { readonly channels: number }): Promise<Probe> {
    const engine = broker({ url, timeoutMs: 120_000 })
    await engine.open({ clock: systemClock, log, instance: 'probe', random: Math.random, onState: silent })
    const names = Array.from({ length: channels }, (_, at) => `fleet.c${at}`)
    await engine.declare({
      channels: [...names, 'probe'].map((name) => ({ name, kind: 'queue', keyed: false }) as const),
      groups: names.map((channel) => ({ channel, group: 'fleet', from: 'next' }) as const),
    })
    return new Probe(engine)
  }

  /** What was noted since the last time, in milliseconds; what is under way counts with the next. */
  take(): readonly number[] {
    return this.#latencies.splice(0)
  }

  stop(): Promise<void> {
    this.#isOver = true
    return this.#ended
  }

  async #run(): Promise<void> {
    const body = Buffer.alloc(100, 'x')
    for (let count = 0; !this.#isOver; count++) {
      const beganAtMs = performance.now()
      let isStored = false
      while (!isStored && !this.#isOver) {
        const [outcome] = await this.#engine.publish([{ id: `p${count}`, channel: 'probe', headers: {}, body }])
        isStored = outcome?.ok === true
      }
      this.#latencies.push(performance.now() - beganAtMs)
      await new Promise((resolve) => setTimeout(resolve, everyMs))
    }
    await this.#engine.close()
  }
}
