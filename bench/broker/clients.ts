import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BrokerFigures } from '@posthaste/broker-service'
import { type CaseResult, resultOf } from '../document.ts'
import { median, percentile } from '../measure.ts'
import type { FleetFigures, FleetPlan } from './fleet.ts'
import { type FleetProcess, startFleet } from './fleet-process.ts'
import { Probe } from './probe.ts'
import { type Service, startService } from './service.ts'

/** How many clients, and what is done to their broker. */
export interface ClientsPlan extends Omit<FleetPlan, 'url'> {
  /** How often the broker is killed. */
  readonly kills: number
  /** How long nothing happens but what clients do, in milliseconds. */
  readonly calmMs: number
  /** How long anything may take, in milliseconds. */
  readonly patienceMs: number
}

/** What a kill has cost. */
interface Return {
  /** From the start of the process until it listens. */
  readonly startMs: number
  /** From when it listens until each client is back, and each member has joined. */
  readonly backMs: number
  /** The longest that somebody waited who publishes all the time, from the kill on. */
  readonly silenceMs: number
}

const kib = 1024
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Many clients of one broker: all come, do little, and lose it by `kill -9`, again and again.
 * @throws Error when anything that was confirmed is not handled, or something takes too long
 */
export async function playClients(dir: string, plan: ClientsPlan): Promise<CaseResult[]> {
  const config = { limits: { connectionsMax: 2 * plan.clients + 100 }, health: { port: 0 } }
  let service = await startService(join(dir, 'data'), config)
  const { url } = service
  const fleet = startFleet({ ...plan, url })
  const probe = await Probe.open(url, plan)
  try {
    const [brokerBefore, fleetBefore] = [rssBytes(service.pid), (await fleet.ask('figures')).rssBytes]
    const beganAtMs = performance.now()
    await fleet.ask('open')
    const openMs = performance.now() - beganAtMs
    await pause(plan.calmMs)
    const calm = probe.take()
    const perClient = (bytes: number): number => bytes / plan.clients / kib
    const brokerKib = perClient(rssBytes(service.pid) - brokerBefore)
    const fleetKib = perClient((await fleet.ask('figures')).rssBytes - fleetBefore)
    const returns: Return[] = []
    for (let kill = 0; kill < plan.kills; kill++) {
      await service.kill()
      const killedAtMs = performance.now()
      service = await startService(join(dir, 'data'), { ...config, listen: [url] })
      const startedAtMs = performance.now()
      await allBack(service, fleet, plan)
      const backMs = performance.now() - startedAtMs
      await pause(plan.calmMs)
      returns.push({ startMs: startedAtMs - killedAtMs, backMs, silenceMs: Math.max(...probe.take()) })
    }
    await probe.stop()
    const { confirmed, duplicates } = await allHandled(fleet, plan)
    const of = (pick: (each: Return) => number): number => median(returns.map(pick))
    const name = `${plan.clients.toLocaleString('en')} clients`
    return [
      resultOf({ case: `${name}, all connected`, unit: 's', ours: openMs / 1_000 }),
      resultOf({ case: `${name}, memory of the broker for each`, unit: 'KiB', ours: brokerKib }),
      resultOf({ case: `${name}, memory of their process for each`, unit: 'KiB', ours: fleetKib }),
      resultOf({ case: `${name}, publish confirmed, p50`, unit: 'ms', ours: median(calm) }),
      resultOf({ case: `${name}, publish confirmed, p99`, unit: 'ms', ours: percentile(calm, 99) }),
      resultOf({
        case: `${name}, broker killed: until it listens`,
        unit: 's',
        ours: of((each) => each.startMs) / 1_000,
      }),
      resultOf({
        case: `${name}, broker killed: then until all are back`,
        unit: 's',
        ours: of((each) => each.backMs) / 1_000,
      }),
      resultOf({
        case: `${name}, broker killed: longest publish, from before`,
        unit: 's',
        ours: of((each) => each.silenceMs) / 1_000,
      }),
      resultOf({ case: `${name}, messages confirmed`, unit: 'messages', ours: confirmed }),
      resultOf({ case: `${name}, messages handled twice`, unit: 'messages', ours: duplicates }),
    ]
  } finally {
    await probe.stop()
    await fleet.stop()
    await service.stop()
  }
}

/** Until each client is connected and each member has joined. */
async function allBack({ healthUrl }: Service, fleet: FleetProcess, plan: ClientsPlan): Promise<void> {
  await until(plan, 'not all clients are back', async () => {
    const { connected } = await fleet.ask('figures')
    if (connected < plan.clients) return `${connected} connected`
    const { subscriptions } = (await (await fetch(`${healthUrl}/figures`)).json()) as BrokerFigures
    return subscriptions < Math.ceil(plan.clients / 2) ? `${subscriptions} joined` : undefined
  })
}

async function allHandled(fleet: FleetProcess, plan: ClientsPlan): Promise<FleetFigures> {
  let figures = await fleet.ask('quiet')
  await until(plan, 'something was lost', async () => {
    figures = await fleet.ask('figures')
    return figures.handled < figures.confirmed ? `${figures.handled} of ${figures.confirmed} handled` : undefined
  })
  return figures
}

/** @param lacks what there is instead; undefined when it is as it should be */
async function until(
  { patienceMs }: ClientsPlan,
  what: string,
  lacks: () => Promise<string | undefined>,
): Promise<void> {
  const beganAtMs = performance.now()
  for (;;) {
    const lack = await lacks()
    if (lack === undefined) return
    if (performance.now() - beganAtMs > patienceMs) throw new Error(`${what}: ${lack}`)
    await pause(50)
  }
}

/** What a process has in memory. Linux only; elsewhere nothing. */
function rssBytes(pid: number): number {
  try {
    const [, kibs] = /VmRSS:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Number(kibs) * kib
  } catch {
    return Number.NaN
  }
}
