import { join } from 'node:path'
import { folder } from '../folder.ts'
import { run } from './command.ts'
import { findExecutable } from './path.ts'

/** Where Go is unpacked to when it is not installed by a package. */
const usualFolders = '/usr/local/go/bin'

/** A program that Go builds, at one version. */
export interface GoProgram {
  readonly module: string
  readonly version: string
  readonly executable: string
}

/**
 * Builds the program, once for each version; `undefined` where Go is not installed.
 * @throws Error with the output of go
 */
export async function goProgram({ module, version, executable }: GoProgram): Promise<string | undefined> {
  const bin = folder('programs', `${executable}-${version}`)
  const built = findExecutable(executable, bin)
  if (built?.startsWith(bin)) return built
  const go = findExecutable('go') ?? findExecutable('go', usualFolders)
  if (!go) return undefined
  await run([go, 'install', `${module}@${version}`], { env: { GOBIN: bin, CGO_ENABLED: '0' } })
  return join(bin, executable)
}
