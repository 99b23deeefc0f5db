import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EventContract, Log } from '@posthaste/contracts'
import type { Bus } from 'posthaste/bus'
import { type PrivateServer, startServer } from '../engines/server.ts'
import { connectorOf, copying, type NetworkedName, resending } from './engines.ts'
import { Flow, type Recovery } from './flow.ts'
import { inflict, type Victims } from './inflict.ts'
import { Ledger, type Verdict } from './ledger.ts'
import { Publishers, type Requests } from './load.ts'
import { FaultMember, type MemberSurroundings } from './member.ts'
import { group, Noted, Placed } from './messages.ts'
import { type PlannedFault, planFaults } from './plan.ts'

/** One fault of a run, and how long it took until all was as before. */
export interface FaultOutcome {
  readonly fault: PlannedFault
  /** From the beginning of the fault to its healing, in milliseconds. */
  readonly tookMs: number
  /** Undefined where it did not recover within the patience of the run. */
  readonly recovery: Recovery | undefined
}

/** What a run of faults found. */
export interface FaultRun {
  readonly engine: string
  readonly serverVersion: string | undefined
  readonly seed: number
  readonly faults: readonly FaultOutcome[]
  readonly verdict: Verdict
  readonly requests: Requests
}

/** How a run goes. */
export interface FaultRunOptions {
  readonly seed: number
  readonly rounds: number
  readonly log: Log
  readonly onProgress: (line: string) => void
}

/** Servers of runs that have not ended. */
export const ownServers = new Set<PrivateServer>()

const workers = 2
/** Flow before a fault is taken from so long a time, in milliseconds. */
const baselineMs = 1_000
const recoveryPatienceMs = 180_000
/**
 * What a level of RabbitMQ's delay ladder sent while the server started, and the next did not confirm, it sends again three
 * minutes later: that is late, not lost.
 */
const drainPatienceMs = 240_000
const pollMs = 50

/** Whether all that a run is about held. */
export function isSound({ verdict, faults }: FaultRun): boolean {
  const { lost, orderViolations, attemptsReset, twiceAtOnce } = verdict
  const wrong = [lost, orderViolations, attemptsReset, twiceAtOnce]
  return wrong.every(({ length }) => length === 0) && faults.every(({ recovery }) => recovery !== undefined)
}

/** Runs an engine under load on a server of its own, while one fault after the other happens to it. */
export async function runFaults(engine: NetworkedName, options: FaultRunOptions): Promise<FaultRun> {
  const connect = await connectorOf(engine)
  const dir = mkdtempSync(join(tmpdir(), `faults-${engine}-`))
  const server = await startServer(engine, { dir })
  ownServers.add(server)
  try {
    const [ledger, flow] = [new Ledger({ copies: copying.has(engine) }), new Flow()]
    const around = { connect, serverPort: server.port, ledger, flow, log: options.log }
    const onLost = (): void => {
      if (resending.has(engine)) ledger.resent()
    }
    const system = await FaultSystem.start(around, { ...around, onLost })
    const publishers = new Publishers(system.publisher.bus, { ledger, flow, run: randomUUID().slice(0, 8) })
    const victims: Victims = {
      server,
      proxies: () => system.members.map(({ proxy }) => proxy),
      replaceMember: () => system.replaceMember(),
    }
    await flows(flow)
    const faults: FaultOutcome[] = []
    for (const fault of planFaults(options.seed, options.rounds)) {
      faults.push(await oneFault(fault, victims, flow))
      options.onProgress(describe(faults.at(-1) as FaultOutcome))
    }
    await publishers.stop()
    const deadLetters = await drained(system.publisher.bus, ledger)
    await system.close()
    const { requests } = publishers
    const verdict = ledger.verdict(deadLetters)
    return { engine, serverVersion: server.version, seed: options.seed, faults, verdict, requests }
  } finally {
    await server.stop()
    ownServers.delete(server)
    rmSync(dir, { recursive: true, force: true })
  }
}

/** The members of a run. */
class FaultSystem {
  readonly publisher: FaultMember
  readonly #workers: FaultMember[]
  readonly #around: MemberSurroundings
  #started = workers

  private constructor(around: MemberSurroundings, publisher: FaultMember, working: FaultMember[]) {
    this.#around = around
    this.publisher = publisher
    this.#workers = working
  }

  /** @param publishing - what the member that publishes has in place of the others' */
  static async start(around: MemberSurroundings, publishing: MemberSurroundings): Promise<FaultSystem> {
    const working: FaultMember[] = []
    for (let at = 1; at <= workers; at += 1) working.push(await FaultMember.start(`worker-${at}`, around, true))
    return new FaultSystem(around, await FaultMember.start('publisher', publishing, false), working)
  }

  get members(): readonly FaultMember[] {
    return [this.publisher, ...this.#workers]
  }

  async replaceMember(): Promise<void> {
    await this.#workers.shift()?.crash()
    this.#started += 1
    this.#workers.push(await FaultMember.start(`worker-${this.#started}`, this.#around, true))
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.close()))
  }
}

/** Waits until messages are handled at all, and long enough to know how many in a while. */
async function flows(flow: Flow): Promise<void> {
  const beganMs = performance.now()
  while (flow.rate(performance.now(), baselineMs).delivered === 0) {
    if (performance.now() - beganMs > recoveryPatienceMs) throw new Error('nothing was delivered at all')
    await sleep(pollMs)
  }
  await sleep(baselineMs)
}

async function oneFault(fault: PlannedFault, victims: Victims, flow: Flow): Promise<FaultOutcome> {
  await sleep(baselineMs)
  const beganMs = performance.now()
  const before = flow.rate(beganMs, baselineMs)
  await inflict(fault, victims)
  const healedMs = performance.now()
  const tookMs = Math.round(healedMs - beganMs)
  for (;;) {
    const nowMs = performance.now()
    const recovery = flow.recovery(healedMs, before, nowMs)
    if (recovery !== undefined || nowMs - healedMs > recoveryPatienceMs) return { fault, tookMs, recovery }
    await sleep(pollMs)
  }
}

/** Waits until all that was confirmed is handled or dead. @returns the ids of the dead letters */
async function drained(bus: Bus, ledger: Ledger): Promise<ReadonlySet<string>> {
  const beganMs = performance.now()
  for (;;) {
    const dead = new Set([...(await deadIds(bus, Placed)), ...(await deadIds(bus, Noted))])
    const isOver = ledger.missing(dead).length === 0 || performance.now() - beganMs > drainPatienceMs
    if (isOver) return dead
    await sleep(10 * pollMs)
  }
}

async function deadIds(bus: Bus, contract: EventContract): Promise<readonly string[]> {
  const ids: string[] = []
  const letters = bus.deadLetters(contract, { group })
  for (let after: string | undefined, more = true; more; more = after !== undefined) {
    const page = await letters.browse({ limit: 1_000, after })
    ids.push(...page.letters.map(({ id }) => id))
    after = page.next
  }
  return ids
}

function describe({ fault, tookMs, recovery }: FaultOutcome): string {
  const after = recovery
    ? `first after ${recovery.firstMs} ms, full flow after ${recovery.fullMs} ms`
    : 'did NOT recover'
  return `${fault.kind} for ${tookMs} ms: ${after}`
}
