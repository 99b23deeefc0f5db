import { breakerCases, halfOpenCases } from './cases/breakers.ts'
import { bulkheadCases, prices, retryCases } from './cases/others.ts'
import { cockatielKit } from './cockatiel.ts'
import { type FaultCase, type Kit, NotOffered } from './kit.ts'
import { opossumKit } from './opossum.ts'
import { ourKit } from './ours.ts'

/** Whether a library has a fault, shown by running the case; or why the case does not apply to it. */
export type Finding = { readonly hasFault: boolean } | { readonly doesNotApply: string }

/** What was found of one case, by library. */
export interface CaseFindings {
  readonly name: string
  readonly theme: FaultCase['theme']
  readonly found: string
  readonly findings: Readonly<Record<LibraryName, Finding>>
}

/** Everything that the cases are run against. */
export const libraries = { ours: ourKit, cockatiel: cockatielKit, opossum: opossumKit } as const

export type LibraryName = keyof typeof libraries

/** All cases, by theme; the prices last. */
export const cases: readonly FaultCase[] = [
  ...breakerCases,
  ...halfOpenCases,
  ...bulkheadCases,
  ...retryCases,
  ...prices,
]

/** Runs a case against every library. One at a time: they share the machine's time. */
export async function runCase(one: FaultCase): Promise<CaseFindings> {
  const { name, theme, found } = one
  const findings: Partial<Record<LibraryName, Finding>> = {}
  for (const library of Object.keys(libraries) as LibraryName[]) {
    findings[library] = await findingOf(one, libraries[library])
  }
  return { name, theme, found, findings: findings as Record<LibraryName, Finding> }
}

async function findingOf(one: FaultCase, open: () => Kit): Promise<Finding> {
  const kit = open()
  try {
    return { hasFault: await one.hasFault(kit) }
  } catch (error) {
    if (error instanceof NotOffered) return { doesNotApply: error.message }
    throw error
  } finally {
    kit.close()
  }
}
