import { resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { PosthasteError } from 'posthaste'

/** A command line that cannot be understood. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A path as the user meant it: npm runs scripts elsewhere than where it was called. */
export function userPath(path: string): string {
  return resolve(process.env.INIT_CWD ?? process.cwd(), path)
}

/** Where the shop keeps its data: what was asked for, or `data` beside its sources. */
export function dataDir(asked: string | undefined = process.env.SHOP_DATA): string {
  return asked === undefined ? fileURLToPath(new URL('../data', import.meta.url)) : userPath(asked)
}

/** @throws UsageError when the text is no port */
export function portOf(text: string): number {
  return wholeNumber('port', text, 65_535)
}

/** @throws UsageError when the text is no whole number from 0 to `max` */
export function wholeNumber(what: string, text: string, max: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= max) return value
  throw new UsageError(`${what} must be a whole number from 0 to ${max}, not '${text}'`)
}

/** An error for people: what happened, and what to do about it. */
export function shown(error: unknown, usage: string): string {
  if (PosthasteError.is(error)) return `${error.message}\n${error.remedy}\n`
  if (!(error instanceof Error)) return `${String(error)}\n`
  return isUsageError(error) ? `${error.message}\n${usage}\n` : `${error.message}\n`
}

function isUsageError(error: Error & { readonly code?: unknown }): boolean {
  return error instanceof UsageError || String(error.code).startsWith('ERR_PARSE_ARGS')
}

/** How often each kind of fault hits where nothing else is said. */
const chaosRateDefault = '0.1'

/** Arguments in which `--chaos` has a rate: it may be left out, which the parser of arguments knows nothing of. */
export function withChaosRate(args: readonly string[]): string[] {
  return args.flatMap((arg, at) => {
    const hasRate = args[at + 1] !== undefined && Number.isFinite(Number(args[at + 1]))
    return arg === '--chaos' && !hasRate ? [`--chaos=${chaosRateDefault}`] : [arg]
  })
}

/** The arguments that all who open a shop with chaos understand. */
export const chaosArguments = {
  chaos: { type: 'string' },
  'chaos-seed': { type: 'string' },
  watch: { type: 'boolean', default: false },
} as const

/**
 * Which faults are asked for.
 * @throws UsageError when the rate is no share, or the seed no number
 */
export function chaosOf(values: { readonly chaos?: string | undefined; readonly 'chaos-seed'?: string | undefined }) {
  const { chaos, 'chaos-seed': seed } = values
  if (chaos === undefined) return undefined
  const rate = Number(chaos)
  if (!(rate >= 0 && rate <= 1) || chaos.trim() === '') {
    throw new UsageError(`--chaos must be a share from 0 to 1, not '${chaos}'`)
  }
  return { rate, seed: seed === undefined ? undefined : wholeNumber('--chaos-seed', seed, 2 ** 32 - 1) }
}

/** Whether it is watched how breakers, budgets and limits change: where told so, and chaos on a terminal always. */
export function isWatched({ watch, chaos }: { readonly watch: boolean; readonly chaos?: string | undefined }): boolean {
  return watch || (chaos !== undefined && process.stderr.isTTY === true)
}
