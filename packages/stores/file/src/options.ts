import { resolve } from 'node:path'
import { type Issue, PosthasteError } from '@posthaste/contracts'

/** Options of the store. */
export interface FileStoreOptions {
  /** The directory; made with the first body. Every process that uses the store is given the same one. */
  readonly dir: string
  /**
   * Milliseconds that a body is kept at least, 1,000 or more: as long as any message may need it, retries, dead letters and
   * history included. Default: for good.
   */
  readonly keepForMs?: number | undefined
  /** The biggest body in bytes, 1 to 2,147,483,647. Default: 1,073,741,824. */
  readonly bytesMax?: number | undefined
}

/** Options with their defaults. */
export interface FileStoreSettings {
  readonly dir: string
  readonly keepForMs: number
  readonly bytesMax: number
}

const gibibyte = 1024 ** 3
const bytesLimit = 2 ** 31 - 1
const keepForMsMin = 1_000

/** @throws CONFIG_INVALID with an issue per mistake */
export function readOptions(options: FileStoreOptions): FileStoreSettings {
  const { dir, keepForMs = Number.POSITIVE_INFINITY, bytesMax = gibibyte, ...unknown } = options
  const issues: Issue[] = Object.keys(unknown).map((path) => ({ path, message: 'is not an option' }))
  if (typeof dir !== 'string' || dir.length === 0)
    issues.push({ path: 'dir', message: 'must be the path of a directory' })
  if (typeof keepForMs !== 'number' || !(keepForMs >= keepForMsMin))
    issues.push({ path: 'keepForMs', message: `must be milliseconds, ${keepForMsMin} or more` })
  if (!Number.isInteger(bytesMax) || bytesMax < 1 || bytesMax > bytesLimit)
    issues.push({ path: 'bytesMax', message: `must be a whole number from 1 to ${bytesLimit}` })
  // A process may change its working directory.
  if (issues.length === 0) return { dir: resolve(dir), keepForMs, bytesMax }
  throw refusal('fileStore', issues)
}

const examineMaxDefault = 10_000
const examineLimit = 1_000_000

/** @throws CONFIG_INVALID with an issue per mistake */
export function readExamineMax({
  examineMax = examineMaxDefault,
  ...unknown
}: {
  examineMax?: number | undefined
}): number {
  const issues: Issue[] = Object.keys(unknown).map((path) => ({ path, message: 'is not an option' }))
  if (!Number.isInteger(examineMax) || examineMax < 1 || examineMax > examineLimit)
    issues.push({ path: 'examineMax', message: `must be a whole number from 1 to ${examineLimit}` })
  if (issues.length === 0) return examineMax
  throw refusal('sweep', issues)
}

function refusal(what: string, issues: readonly Issue[]): PosthasteError {
  const told = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
  return new PosthasteError('CONFIG_INVALID', `${what}(): ${told}`, { issues })
}
