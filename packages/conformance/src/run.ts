import type { EngineCapabilities, OutgoingRecord } from '@posthaste/contracts'
import type { ConformanceCase } from './case.ts'
import { CaseContext, type Elsewhere } from './context.ts'
import { expectRejection } from './expect.ts'
import type { EngineHarness, EngineUnderTest } from './harness.ts'
import { isMet } from './needs.ts'
import { within } from './pacing.ts'
import { inParallel } from './parallel.ts'
import type { SuiteSettings } from './settings.ts'

/** How a case went. */
export type CaseOutcome =
  | { readonly status: 'passed'; readonly figures: Figures }
  | { readonly status: 'failed'; readonly error: unknown }
  /** The engine does not declare what the case needs. */
  | { readonly status: 'skipped'; readonly reason: string }

/** What a case has measured, by name. */
export type Figures = Readonly<Record<string, number>>

/** What a run of cases found, for matrices and release notes. */
export interface SuiteReport {
  readonly engine: string
  readonly capabilities: EngineCapabilities
  /** By case id. */
  readonly outcomes: Readonly<Record<string, CaseOutcome>>
}

/** Settings of a run; see each for its default. */
export type SuiteOptions = { readonly [Setting in keyof SuiteSettings]?: SuiteSettings[Setting] | undefined }

const defaults: Omit<SuiteSettings, 'patienceMs'> = { scale: 1, randomRuns: 30, seed: undefined }

/** How long is waited by default: only on the machine's time does what is waited for take its time. */
const patienceMs = { virtual: 10_000, machine: 30_000 } as const

/**
 * Runs one case on an installation of its own. The engine is closed and the installation cleaned up whatever happens,
 * and a fault there fails the case as well: an engine that cannot be closed is not done.
 */
export async function runCase(
  testCase: ConformanceCase,
  harness: EngineHarness,
  options: SuiteOptions = {},
): Promise<CaseOutcome> {
  const installations = testCase.onMachineTime ? onMachineTime(harness) : harness
  let unfit: string | undefined
  let figures: Figures = {}
  try {
    await onInstallation(installations, { ...harness.settings, ...withoutGaps(options) }, async (context) => {
      unfit = whyUnfit(testCase, context.underTest)
      figures = context.figures
      if (unfit === undefined) await testCase.run(context)
    })
  } catch (error) {
    return { status: 'failed', error }
  }
  return unfit === undefined ? { status: 'passed', figures } : { status: 'skipped', reason: unfit }
}

/** Why a case cannot show anything on an installation; undefined where it can. */
function whyUnfit(
  { needs = [], lacks, onMachineTime }: ConformanceCase,
  underTest: EngineUnderTest,
): string | undefined {
  const lacking: string[] = needs.filter((need) => !isMet(need, underTest))
  if (onMachineTime && underTest.advance !== undefined) lacking.push('machine time')
  if (lacking.length > 0) return `not declared: ${lacking.join(', ')}`
  if (lacks?.every((need) => isMet(need, underTest))) return `declared: ${lacks.join(', ')}`
  return undefined
}

/** The harness with its installations on the machine's time, if it has any. */
function onMachineTime(harness: EngineHarness): EngineHarness {
  return { ...harness, create: () => harness.createOnMachineTime?.() ?? harness.create() }
}

/** Does some work on an installation of its own, checks what must always hold, and leaves nothing behind. */
async function onInstallation(
  harness: EngineHarness,
  wished: SuiteOptions,
  work: (context: CaseContext) => Promise<void>,
): Promise<void> {
  const underTest = await harness.create()
  const time = underTest.advance === undefined ? 'machine' : 'virtual'
  const settings: SuiteSettings = { patienceMs: patienceMs[time], ...defaults, ...withoutGaps(wished) }
  const elsewhere: Elsewhere = (other, change) => onInstallation(harness, { ...settings, ...change }, other)
  const context = new CaseContext(underTest, settings, elsewhere)
  try {
    await work(context).catch(async (thrown: unknown) => {
      // The engine must let go of its files and sockets all the same; what failed first is what is reported.
      await context.close().catch(() => {})
      throw thrown
    })
    await context.close()
    context.verify()
    await leave(underTest, settings)
  } finally {
    await underTest.cleanup()
  }
}

/** Settings without those that are there and undefined, which would hide a default. */
const withoutGaps = (wished: SuiteOptions): Partial<SuiteSettings> =>
  Object.fromEntries(Object.entries(wished).filter(([, value]) => value !== undefined))

const late: OutgoingRecord = { id: 'late', channel: 'closed', headers: {}, body: new Uint8Array() }

/** Closes once more, which does no harm, and makes sure that the engine is gone. */
async function leave({ engine }: EngineUnderTest, { patienceMs }: SuiteSettings): Promise<void> {
  await within(engine.close(), 'a second close', patienceMs)
  await within(
    expectRejection(() => engine.publish([late]), 'ENGINE_CLOSED'),
    'publish on a closed engine',
    patienceMs,
  )
}

/** Runs cases, as many at the same time as the harness allows, and reports on all; never rejects for a case that fails. */
export async function runSuite(
  cases: readonly ConformanceCase[],
  harness: EngineHarness,
  options: SuiteOptions = {},
): Promise<SuiteReport> {
  const { engine, cleanup } = await probe(harness)
  const outcomes: Record<string, CaseOutcome> = {}
  await inParallel(harness.parallel, cases, async (testCase) => {
    outcomes[testCase.id] = await runCase(testCase, harness, options)
  })
  await cleanup()
  return { engine: engine.name, capabilities: engine.capabilities, outcomes }
}

/** An engine for the sake of its name and capabilities. */
async function probe(harness: EngineHarness): Promise<EngineUnderTest> {
  const underTest = await harness.create()
  await underTest.engine.close()
  return underTest
}
