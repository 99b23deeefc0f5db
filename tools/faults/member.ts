import { setTimeout as sleep } from 'node:timers/promises'
import { TcpProxy } from '@posthaste/conformance'
import type { Engine, EngineState, Log } from '@posthaste/contracts'
import { type Bus, complete, createBus, type MessageContext } from 'posthaste/bus'
import { systemClock } from 'posthaste/pipeline'
import type { Flow } from './flow.ts'
import type { Ledger } from './ledger.ts'
import { Asked, failures, group, type Load, Noted, Placed, retry } from './messages.ts'

/** What members of a run share. */
export interface MemberSurroundings {
  readonly connect: (port: number) => Engine
  /** The server's own port. */
  readonly serverPort: number
  readonly ledger: Ledger
  readonly flow: Flow
  readonly log: Log
  /** Told when a member has lost its connection. */
  readonly onLost?: () => void
}

const slowMs = 300
const closeMs = 2_000

/** One process of the application, as far as the server can tell: a bus on an engine on a network of its own. */
export class FaultMember {
  readonly name: string
  readonly bus: Bus
  readonly proxy: TcpProxy
  readonly #engine: Engine
  readonly #log: Log

  private constructor(name: string, { proxy, engine, log }: { proxy: TcpProxy; engine: Engine; log: Log }) {
    this.name = name
    this.proxy = proxy
    this.#engine = engine
    this.#log = log
    this.bus = createBus({ name: 'faults', engine, clock: systemClock, log, instance: name })
  }

  /** Connects, and takes its part of the work unless it only publishes. */
  static async start(name: string, around: MemberSurroundings, works: boolean): Promise<FaultMember> {
    const { log, onLost } = around
    const proxy = new TcpProxy({ port: around.serverPort })
    await proxy.listen()
    const engine = complete(around.connect(proxy.port))
    const onState = (state: EngineState): void => {
      if (state === 'lost') onLost?.()
    }
    const host = { clock: systemClock, log, instance: name, random: Math.random, onState }
    await engine.open(host)
    const member = new FaultMember(name, { proxy, engine, log })
    if (works) member.#work(around)
    await member.bus.start()
    return member
  }

  /** Ends in order. */
  async close(): Promise<void> {
    await this.bus.close({ graceMs: closeMs })
    await this.#engine.close()
    await this.proxy.destroy()
  }

  /** Its network is gone for good, as when the machine is; what it still tries is nobody's business. */
  async crash(): Promise<void> {
    await this.proxy.destroy()
    const gone = this.bus.close({ graceMs: 0 }).then(() => this.#engine.close())
    gone.catch((error: unknown) =>
      this.#log.debug('a crashed member ended', { member: this.name, error: String(error) }),
    )
  }

  #work({ ledger, flow }: MemberSurroundings): void {
    const handle = async (load: Load, context: MessageContext): Promise<void> => {
      flow.delivered(performance.now())
      const { id, key, attempt, signal } = context
      const running = ledger.began({ id, key, n: load.n, attempt, by: this.name, signal })
      try {
        if (load.fate === 'slow') await sleep(slowMs, undefined, { signal })
        else await sleep(1)
        if (signal.aborted) throw signal.reason
        if (attempt <= failures[load.fate]) throw new Error('as it is to fail')
        running.ended('done')
      } catch (error) {
        running.ended(signal.aborted ? 'aborted' : 'failed')
        throw error
      }
    }
    this.bus.on(Placed, { group, retry, concurrency: 32 }, handle)
    this.bus.on(Noted, { group, retry }, handle)
    this.bus.handle(Asked, { retry }, ({ n }) => ({ n }))
  }
}
