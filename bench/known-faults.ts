import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { documentOf, type FaultsDocument } from './known-faults/document.ts'
import { type CaseFindings, cases, runCase } from './known-faults/run.ts'

/** What is profiled: all cases. */
export const profiled = (): Promise<unknown> => bench()

/** The faults that resilience libraries were found to have, each run against ours and against theirs. */
export async function bench(): Promise<FaultsDocument> {
  const faults: CaseFindings[] = []
  for (const one of cases) faults.push(await runCase(one))
  const versions = { ours: versionOf('posthaste'), cockatiel: versionOf('cockatiel'), opossum: versionOf('opossum') }
  return documentOf(faults, versions)
}

/** The version that is installed; manifests are not exported by all, so it is looked for upwards from the code. */
function versionOf(name: string): string {
  let dir = dirname(createRequire(import.meta.url).resolve(name))
  for (;;) {
    const manifest = manifestIn(dir)
    if (manifest?.name === name) return manifest.version
    if (dir === dirname(dir)) return 'unknown'
    dir = dirname(dir)
  }
}

function manifestIn(dir: string): { readonly name?: string; readonly version: string } | undefined {
  try {
    return JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as { name?: string; version: string }
  } catch {
    return undefined
  }
}
