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
