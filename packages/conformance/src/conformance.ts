import { type EngineCapabilities, PosthasteError } from '@posthaste/contracts'
import { busSuite, refusalSuite } from './bus-suite.ts'
import type { ConformanceCase } from './case.ts'
import type { Guarantee, GuaranteeSupport, Offer } from './guarantees/guarantee.ts'
import { guarantees, isNamed } from './guarantees/registry.ts'
import type { EngineHarness } from './harness.ts'
import { hunt, type MutantResult, type Quarry } from './hunt.ts'
import { mutants } from './mutants/mutants.ts'
import { realMs } from './pacing.ts'
import { inParallel } from './parallel.ts'
import { type CaseOutcome, type Figures, runCase, type SuiteOptions } from './run.ts'
import { engineSuite } from './suite.ts'

/** What a run shows of one guarantee. */
export interface GuaranteeResult {
  readonly id: Guarantee['id']
  readonly title: string
  readonly support: GuaranteeSupport
  /** Whether all of its cases that could run did well, and at least one ran. */
  readonly passed: boolean
  /** `cases` that ran, `skipped` ones that need what the engine or its harness does not have, and what was measured. */
  readonly figures: Figures
  /** What went wrong, case by case. */
  readonly failures: readonly CaseFailure[]
}

/** A case that did not do well. */
export interface CaseFailure {
  readonly case: string
  readonly error: unknown
}

/** What a run shows of an engine. */
export interface ConformanceResult {
  readonly engine: string
  readonly capabilities: EngineCapabilities
  readonly guarantees: readonly GuaranteeResult[]
  /** Empty where none were asked for. */
  readonly mutants: readonly MutantResult[]
}

/** What a run is to show. */
export interface ConformanceOptions extends SuiteOptions {
  /** Whether wrong versions of the engine are run as well, to show that the cases find them. Default: true. */
  readonly mutants?: boolean | undefined
  /** Ids of the guarantees to run; all if absent. Mutants are then left out. */
  readonly only?: readonly string[] | undefined
  /** How many installations are in use at the same time; default: as many as the harness says. */
  readonly parallel?: number | undefined
  /** Told of each case and mutant as it ends. */
  readonly onProgress?: ((line: string) => void) | undefined
}

/** How a case went, and how long it took in real time. */
export interface TimedOutcome {
  readonly outcome: CaseOutcome
  readonly tookMs: number
}

/** Whether a run shows what it should: every guarantee holds, every mutant is caught. */
export function isConformant({ guarantees: results, mutants: hunted }: ConformanceResult): boolean {
  return (
    results.every(({ passed }) => passed) &&
    hunted.every(({ caughtBy, lacking }) => lacking !== undefined || caughtBy.length > 0)
  )
}

/** Every case there is: of the engine, of the bus on it, and of what is refused. */
export function allCases(): readonly ConformanceCase[] {
  return [...engineSuite(), ...busSuite(), ...refusalSuite()]
}

/**
 * Holds an engine to every guarantee: what it declares must work, what it does not declare must be refused. Then does the
 * same to wrong versions of it, each of which must be found. Never rejects for what an engine does.
 * @throws NOT_FOUND when `only` names a guarantee that does not exist
 */
export async function runConformance(
  given: EngineHarness,
  options: ConformanceOptions = {},
): Promise<ConformanceResult> {
  const { mutants: withMutants = true, only, parallel = given.parallel, onProgress = () => {}, ...settings } = options
  const harness: EngineHarness = { ...given, parallel }
  const strangers = only?.filter((id) => !guarantees.some((guarantee) => guarantee.id === id)) ?? []
  if (strangers.length > 0) throw new PosthasteError('NOT_FOUND', `there is no guarantee ${strangers.join(', ')}`)
  const { name, offer, declared } = await offerOf(harness)
  const chosen = guarantees.filter(({ id }) => only === undefined || only.includes(id))
  const cases = casesOf(chosen, offer)
  const outcomes = await outcomesOf(cases, { harness, settings, onProgress })
  const results = chosen.map((guarantee) => resultOf(guarantee, { offer, declared }, outcomes))
  const quarry = { harness, outcomes, cases, settings }
  const hunted = withMutants && only === undefined ? await huntAll(quarry, onProgress) : []
  return { engine: name, capabilities: offer.capabilities, guarantees: results, mutants: hunted }
}

/** How cases are run. */
interface CaseRun {
  readonly harness: EngineHarness
  readonly settings: SuiteOptions
  readonly onProgress: (line: string) => void
}

/**
 * Runs cases, as many at the same time as the harness allows; those about how time really goes by run alone. What failed
 * beside others runs again alone, and what is found then counts: a crowded machine is no fault of the engine. It is shown how
 * many cases needed that.
 */
async function outcomesOf(
  cases: readonly ConformanceCase[],
  { harness, settings, onProgress }: CaseRun,
): Promise<ReadonlyMap<string, TimedOutcome>> {
  const found = new Map<string, TimedOutcome>()
  const run = async (testCase: ConformanceCase): Promise<void> => {
    const beganMs = realMs()
    const outcome = await runCase(testCase, harness, settings)
    const tookMs = realMs() - beganMs
    found.set(testCase.id, { outcome, tookMs })
    onProgress(`${outcome.status.padEnd(7)} ${testCase.id} (${Math.round(tookMs)} ms)${reasonOf(outcome)}`)
  }
  const again = async (testCase: ConformanceCase): Promise<void> => {
    await run(testCase)
    const { outcome, tookMs } = found.get(testCase.id) as TimedOutcome
    if (outcome.status !== 'passed') return
    found.set(testCase.id, { outcome: { ...outcome, figures: { ...outcome.figures, repeated: 1 } }, tookMs })
  }
  const isAlone = ({ onMachineTime }: ConformanceCase) => onMachineTime === true
  await inParallel(
    harness.parallel,
    cases.filter((each) => !isAlone(each)),
    run,
  )
  await inParallel(1, cases.filter(isAlone), run)
  if ((harness.parallel ?? 1) > 1)
    await inParallel(
      1,
      cases.filter(({ id }) => found.get(id)?.outcome.status === 'failed'),
      again,
    )
  // Told in the order of the suite, in whatever order they ended.
  return new Map(cases.flatMap(({ id }) => (found.has(id) ? [[id, found.get(id) as TimedOutcome] as const] : [])))
}

/** Why a case failed, in one line. */
function reasonOf(outcome: CaseOutcome): string {
  if (outcome.status !== 'failed') return ''
  const [line = ''] = String(outcome.error).split('\n', 1)
  return `: ${line}`
}

/** Hunts every mutant, as many at the same time as the harness allows. */
async function huntAll(quarry: Quarry, onProgress: (line: string) => void): Promise<readonly MutantResult[]> {
  const hunted = new Map<string, MutantResult>()
  await inParallel(quarry.harness.parallel, mutants, async (mutant) => {
    const beganMs = realMs()
    const result = await hunt(mutant, quarry)
    onProgress(`${describeHunt(result)} (${Math.round(realMs() - beganMs)} ms)`)
    hunted.set(mutant.name, result)
  })
  return mutants.flatMap(({ name }) => hunted.get(name) ?? [])
}

/** What an engine offers. */
export interface EngineOffer {
  readonly name: string
  /** To an application: what the core adds included. */
  readonly offer: Offer
  /** By itself. */
  readonly declared: Offer
}

/** What the engine of a harness offers. */
export async function offerOf(harness: EngineHarness): Promise<EngineOffer> {
  const underTest = await harness.create()
  const { engine, declared = engine } = underTest
  await engine.close()
  await underTest.cleanup()
  return { name: engine.name, offer: engine, declared }
}

/** How a guarantee is kept: emulated, too, where the engine by itself would have to refuse it. */
export function supportOf(
  guarantee: Guarantee,
  { offer, declared }: Pick<EngineOffer, 'offer' | 'declared'>,
): GuaranteeSupport {
  const support = guarantee.support(offer)
  return support === 'native' && guarantee.support(declared) !== 'native' ? 'emulated' : support
}

/** The cases that a guarantee stands on with this engine. */
export function namesOf(guarantee: Guarantee, offer: Offer): readonly string[] {
  return guarantee.support(offer) === 'refused' ? guarantee.refusals : guarantee.cases
}

function casesOf(chosen: readonly Guarantee[], offer: Offer): readonly ConformanceCase[] {
  const names = chosen.flatMap((guarantee) => namesOf(guarantee, offer))
  return allCases().filter(({ id }) => isNamed(id, names))
}

function resultOf(
  guarantee: Guarantee,
  offers: Pick<EngineOffer, 'offer' | 'declared'>,
  outcomes: ReadonlyMap<string, TimedOutcome>,
): GuaranteeResult {
  const { id, title } = guarantee
  const names = namesOf(guarantee, offers.offer)
  const figures: Record<string, number> = { cases: 0 }
  const failures: CaseFailure[] = []
  const add = (figure: string, by: number) => {
    figures[figure] = (figures[figure] ?? 0) + by
  }
  for (const [testCase, { outcome }] of outcomes) {
    if (!isNamed(testCase, names)) continue
    add(outcome.status === 'skipped' ? 'skipped' : 'cases', 1)
    if (outcome.status === 'failed') failures.push({ case: testCase, error: outcome.error })
    if (outcome.status === 'passed') for (const [figure, by] of Object.entries(outcome.figures)) add(figure, by)
  }
  const passed = failures.length === 0 && (figures.cases ?? 0) > 0
  return { id, title, support: supportOf(guarantee, offers), passed, figures, failures }
}

function describeHunt({ name, caughtBy, lacking }: MutantResult): string {
  if (lacking !== undefined) return `left out ${name}: ${lacking}`
  return caughtBy.length > 0 ? `caught  ${name} by ${caughtBy.join(', ')}` : `MISSED  ${name}`
}
