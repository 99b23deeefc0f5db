import { type Contestant, oursBounded, oursGuarded, oursHedged, oursLimited } from './contestants.ts'
import { type Health, well } from './fleet.ts'
import { type Distribution, logNormal } from './random.ts'

/** A tier of services: callers call the first one, each calls the next one, and the last one calls nobody. */
export interface Tier {
  readonly name: string
  readonly instances: number
  readonly workers: number
  readonly serviceMs: Distribution
  /** How an instance is; `intoMs` is the time since the fault began, and only asked for while it lasts. */
  readonly fault?: (instance: number, intoMs: number) => Health
}

/** A fault, and the world that it befalls. */
export interface Scenario {
  readonly name: string
  /** What happens, for readers. */
  readonly what: string
  readonly tiers: readonly Tier[]
  /** Calls per second offered by all callers together. */
  readonly ratePerSecond: number
  /** The same while the fault lasts, where the calls are the fault. */
  readonly faultRatePerSecond?: number
  readonly callers: number
  readonly faultFromMs: number
  readonly faultToMs: number
  readonly endMs: number
  /** Ours with what is for such a fault, besides everybody. */
  readonly variants?: readonly Contestant[]
  /** Which of ours the others are compared with. Default: ours without anything more. */
  readonly compared?: Contestant
}

/** One way, between any two. */
export const networkMs = 1

const serviceMeanMs = 40

/** One tier of four instances that four calls at a time keep busy: 400 a second, of which 200 are asked for. */
const callee: Tier = { name: 'callee', instances: 4, workers: 4, serviceMs: logNormal(serviceMeanMs, 0.5) }

/** What a tier can answer in a second while it is well. */
export function capacityPerSecond({ instances, workers }: Tier): number {
  return (instances * workers * 1_000) / serviceMeanMs
}

const world = { ratePerSecond: 200, callers: 4, faultFromMs: 20_000, faultToMs: 80_000, endMs: 130_000 } as const

const refusing: Health = { ...well, down: 'refusing' }
const silent: Health = { ...well, down: 'silent' }

const oneSlow = (instance: number): Health => (instance === 0 ? { ...well, slowness: 8 } : well)

const failing = (fault: Tier['fault'] & {}): Tier[] => [{ ...callee, fault }]

const threeTiers = (fault: Tier['fault'] & {}): Tier[] => [
  { ...callee, name: 'A' },
  { ...callee, name: 'B' },
  { ...callee, name: 'C', fault },
]

/** All of them, in the order of being told. */
export const scenarios: readonly Scenario[] = [
  {
    name: 'outage',
    what: 'the callee is down for a minute and refuses connections',
    tiers: failing(() => refusing),
    ...world,
  },
  {
    name: 'silent outage',
    what: 'the callee is down for a minute and answers nothing: attempts end by their timeouts',
    tiers: failing(() => silent),
    ...world,
  },
  {
    name: 'brown-out',
    what: 'for a minute 30 % of the answers are errors, and all take 1.5 times as long',
    tiers: failing(() => ({ errorShare: 0.3, slowness: 1.5 })),
    ...world,
    variants: [oursLimited, oursBounded],
  },
  {
    name: 'one of 4 slow',
    what: 'for a minute one of four instances takes 8 times as long, more than it can keep up with; calls go to all at random',
    tiers: failing(oneSlow),
    ...world,
    variants: [oursHedged],
    compared: oursHedged,
  },
  {
    name: 'one of 24 slow',
    what: 'the same with one of 24 instances, each of which works on one call at a time',
    tiers: [{ ...callee, instances: 24, workers: 1, fault: oneSlow }],
    ...world,
    variants: [oursHedged],
    compared: oursHedged,
  },
  {
    name: 'flapping',
    what: 'for a minute the callee is down for 4 s and well for 4 s in turn',
    tiers: failing((_, intoMs) => (intoMs % 8_000 < 4_000 ? refusing : well)),
    ...world,
  },
  {
    name: 'retry storm',
    what: 'callers call A, A calls B, B calls C, each as this contestant does; C answers with errors for a minute',
    tiers: threeTiers(() => ({ ...well, errorShare: 1 })),
    ...world,
  },
  {
    name: 'partial storm',
    what: 'the same, but 40 % of the answers of C are errors: too few for a breaker to open',
    tiers: threeTiers(() => ({ ...well, errorShare: 0.4 })),
    ...world,
  },
  {
    name: 'overload',
    what: 'for 40 s three times as many calls are made as the callee can answer',
    tiers: [callee],
    ...world,
    faultRatePerSecond: 1_200,
    faultToMs: 60_000,
    variants: [oursLimited, oursGuarded],
    compared: oursGuarded,
  },
  {
    name: 'overload by many',
    what: 'the same by 20 callers, each of which knows of its own calls alone',
    tiers: [callee],
    ...world,
    callers: 20,
    faultRatePerSecond: 1_200,
    faultToMs: 60_000,
    variants: [oursLimited, oursGuarded],
    compared: oursGuarded,
  },
]
