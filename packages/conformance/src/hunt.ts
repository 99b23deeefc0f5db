import type { ConformanceCase } from './case.ts'
import { guarantees, isNamed } from './guarantees/registry.ts'
import type { EngineHarness, EngineUnderTest } from './harness.ts'
import type { Mutant } from './mutants/mutant.ts'
import { isMet } from './needs.ts'
import { type CaseOutcome, runCase, type SuiteOptions } from './run.ts'

/** What found a mutant. */
export interface MutantResult {
  readonly name: string
  /** Ids of the guarantees whose case failed first; empty where none did: the mutant survived. */
  readonly caughtBy: readonly string[]
  /** What the engine lacks for the fault to show; then it was not run. */
  readonly lacking?: string | undefined
}

/** What mutants are made of and hunted with. */
export interface Quarry {
  readonly harness: EngineHarness
  readonly cases: readonly ConformanceCase[]
  /** How each case went on the engine itself: only those that passed can tell a mutant from it. */
  readonly outcomes: ReadonlyMap<string, { readonly outcome: CaseOutcome; readonly tookMs: number }>
  readonly settings: SuiteOptions
}

/**
 * What a mutant owes will never come, so it is waited for only several times as long as the engine itself took; longer where
 * other cases are run beside it.
 */
const patience = { leastMs: 800, leastBesideOthersMs: 3_000, factor: 4 } as const

/** Random programs that a mutant must survive are the same in every run. */
const seed = 7

/** Runs a mutant until a case fails: first the one that is about its fault, then all others. */
export async function hunt(mutant: Mutant, { harness, cases, outcomes, settings }: Quarry): Promise<MutantResult> {
  const { name, needs = [], foundBy } = mutant
  const probe = await harness.create()
  const lacking = needs.filter((need) => !isMet(need, probe))
  await probe.engine.close()
  await probe.cleanup()
  if (lacking.length > 0) return { name, caughtBy: [], lacking: `not declared: ${lacking.join(', ')}` }
  const wrong = mutated(harness, mutant)
  const leastMs = (harness.parallel ?? 1) > 1 ? patience.leastBesideOthersMs : patience.leastMs
  for (const testCase of huntersOf(foundBy, cases, outcomes)) {
    const sound = outcomes.get(testCase.id)
    if (sound?.outcome.status !== 'passed') continue
    const patienceMs = Math.max(leastMs, patience.factor * sound.tookMs)
    const how = { ...settings, seed, patienceMs }
    if ((await runCase(testCase, wrong, how)).status !== 'failed') continue
    // On a busy machine any case may fail for want of patience: what the engine itself fails now tells nothing.
    const isCaught = (await runCase(testCase, harness, how)).status === 'passed'
    if (isCaught) return { name, caughtBy: guaranteesOf(testCase.id) }
  }
  return { name, caughtBy: [] }
}

/** The case that is about a fault first, then those of the same guarantees, then all others; short ones before long ones. */
function huntersOf(
  foundBy: string,
  cases: readonly ConformanceCase[],
  outcomes: Quarry['outcomes'],
): readonly ConformanceCase[] {
  const related = new Set(guaranteesOf(foundBy))
  const distance = ({ id }: ConformanceCase): number => {
    if (id === foundBy) return 0
    return guaranteesOf(id).some((guarantee) => related.has(guarantee)) ? 1 : 2
  }
  const tookMs = ({ id }: ConformanceCase): number => outcomes.get(id)?.tookMs ?? 0
  const ranked = cases.map((each) => ({ each, distance: distance(each), tookMs: tookMs(each) }))
  ranked.sort((a, b) => a.distance - b.distance || a.tookMs - b.tookMs)
  return ranked.map(({ each }) => each)
}

/** The guarantees that stand on a case. */
export function guaranteesOf(testCase: string): readonly string[] {
  return guarantees
    .filter(({ cases, refusals }) => isNamed(testCase, cases) || isNamed(testCase, refusals))
    .map(({ id }) => id)
}

/** The same installations, with engines that are wrong. */
function mutated(harness: EngineHarness, { mutate }: Mutant): EngineHarness {
  const { createOnMachineTime } = harness
  return {
    ...harness,
    create: async () => mutatedInstallation(await harness.create(), mutate),
    ...(createOnMachineTime && {
      createOnMachineTime: async () => mutatedInstallation(await createOnMachineTime(), mutate),
    }),
  }
}

/** An installation whose engines are wrong, each that follows a restart or a crash, too. */
function mutatedInstallation(sound: EngineUnderTest, mutate: Mutant['mutate']): EngineUnderTest {
  const { host, advance, crash } = sound
  let wrapped = { from: sound.engine, engine: mutate(sound.engine) }
  return {
    get engine() {
      if (sound.engine !== wrapped.from) wrapped = { from: sound.engine, engine: mutate(sound.engine) }
      return wrapped.engine
    },
    get declared() {
      return sound.declared
    },
    host,
    restart: () => sound.restart(),
    crash: crash && (() => crash()),
    advance: advance && ((ms) => advance(ms)),
    get network() {
      return sound.network
    },
    cleanup: () => sound.cleanup(),
  }
}
