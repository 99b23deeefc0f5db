import type { Caller, Contestant } from './contestants.ts'
import { type Conduct, type Done, Fleet, well } from './fleet.ts'
import { withSimulatedGlobals } from './globals.ts'
import { exponential, seededRandom } from './random.ts'
import { networkMs, type Scenario, type Tier } from './scenarios.ts'
import { Timeline } from './timeline.ts'

/** A call as its caller saw it, in milliseconds since the beginning. */
export interface CallRecord {
  readonly atMs: number
  readonly endedAtMs: number
  readonly ok: boolean
}

/** What happened in a simulation. */
export interface Run {
  /** In the order of their ends. */
  readonly calls: readonly CallRecord[]
  readonly offered: number
  /** When calls arrived at each tier. */
  readonly arrivals: readonly (readonly number[])[]
  /** What was still worked on when it ended; 0 unless something never ends. */
  readonly left: number
}

/** How long it goes on after the last call was offered, so that all of them end. */
const drainMs = 10_000

/** Lets one contestant call in one scenario. The same seed gives the same run, and the same calls to every contestant. */
export async function simulate(scenario: Scenario, contestant: Contestant, seed: number): Promise<Run> {
  const timeline = new Timeline()
  const stream = (name: string) => seededRandom(seed, name)
  return withSimulatedGlobals(timeline, stream('globals'), async () => {
    const calls: CallRecord[] = []
    let offered = 0
    const { fleets, callers } = build(scenario, { contestant, timeline, stream })
    arrive(scenario, { timeline, random: stream('arrivals') }, (pick) => {
      const atMs = timeline.elapsedMs
      offered++
      const ended = (ok: boolean) => () => void calls.push({ atMs, endedAtMs: timeline.elapsedMs, ok })
      callers[Math.floor(pick * callers.length)]!(Number.POSITIVE_INFINITY).then(ended(true), ended(false))
    })
    await timeline.runUntil(scenario.endMs + drainMs)
    const left = fleets.reduce((sum, { load }) => sum + load, 0)
    return { calls, offered, arrivals: fleets.map(({ arrivals }) => arrivals), left }
  })
}

interface Making {
  readonly contestant: Contestant
  readonly timeline: Timeline
  readonly stream: (name: string) => () => number
}

/** The tiers from the last to the first, each instance with callers of its own for the next one, and then the callers. */
function build(scenario: Scenario, making: Making): { readonly fleets: readonly Fleet[]; readonly callers: Caller[] } {
  const fleets: Fleet[] = []
  for (const tier of scenario.tiers.toReversed()) {
    const next = fleets[0]
    const callers = next === undefined ? [] : callersOf(next, tier, making)
    const conduct: Conduct = {
      handler: next === undefined ? undefined : calling(callers, making.contestant),
      guard: guardsOf(tier, making),
    }
    const world = { timeline: making.timeline, random: making.stream(`tier ${tier.name}`) }
    fleets.unshift(new Fleet({ ...tier, networkMs, health: healthOf(scenario, tier) }, world, conduct))
  }
  return { fleets, callers: callersOf(fleets[0]!, { name: 'callers', instances: scenario.callers }, making) }
}

function callersOf(fleet: Fleet, of: Pick<Tier, 'name' | 'instances'>, making: Making): Caller[] {
  const { contestant, timeline, stream } = making
  const send = (deadlineAtMs: number): Promise<void> =>
    new Promise((resolve, reject) => {
      fleet.send(deadlineAtMs, (failure) => (failure === undefined ? resolve() : reject(failure)))
    })
  return Array.from({ length: of.instances }, (_, index) =>
    contestant.create({ clock: timeline, random: stream(`${of.name} ${index}`), send }),
  )
}

function guardsOf({ name }: Tier, { contestant, timeline, stream }: Making): Conduct['guard'] {
  const { guard } = contestant
  return guard && ((instance) => guard({ clock: timeline, random: stream(`guard ${name} ${instance}`) }))
}

function calling(callers: readonly Caller[], { overTheWire }: Contestant) {
  return (instance: number, deadlineAtMs: number, done: Done): void => {
    callers[instance]!(deadlineAtMs).then(
      () => done(),
      (thrown) => done(overTheWire(thrown)),
    )
  }
}

function healthOf(
  { faultFromMs, faultToMs }: Scenario,
  { fault }: Tier,
): (instance: number, elapsedMs: number) => typeof well {
  if (fault === undefined) return () => well
  return (instance, elapsedMs) =>
    elapsedMs >= faultFromMs && elapsedMs < faultToMs ? fault(instance, elapsedMs - faultFromMs) : well
}

/** Calls arrive whether those before them are answered or not (open loop), independently of each other (Poisson). */
function arrive(
  scenario: Scenario,
  { timeline, random }: { readonly timeline: Timeline; readonly random: () => number },
  call: (pick: number) => void,
): void {
  const { ratePerSecond, faultRatePerSecond = ratePerSecond, faultFromMs, faultToMs, endMs } = scenario
  const next = (): void => {
    const inFault = timeline.elapsedMs >= faultFromMs && timeline.elapsedMs < faultToMs
    const rate = inFault ? faultRatePerSecond : ratePerSecond
    timeline.setTimer(exponential(1_000 / rate)(random), () => {
      if (timeline.elapsedMs >= endMs) return
      call(random())
      next()
    })
  }
  next()
}
