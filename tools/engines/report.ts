import type { ServerName } from './recipe.ts'

/** How a server stands. */
export interface ServerReport {
  readonly name: ServerName
  /** `foreign`: the environment names it, so it is used, and never started or stopped. */
  readonly state: 'running' | 'stopped' | 'failed' | 'foreign'
  readonly version?: string | undefined
  readonly url?: string | undefined
  readonly tlsUrl?: string | undefined
  readonly pid?: number | undefined
  /** What else there is to be said: why it failed, or what it lacks. */
  readonly note?: string | undefined
}

/** A report for people: one line, and what else there is to be said below it. */
export function line({ name, state, version = '', url, tlsUrl, note }: ServerReport): string {
  const words = [name.padEnd(9), state.padEnd(8), version.padEnd(8), url, tlsUrl].filter((word) => word !== undefined)
  return [words.join(' ').trimEnd(), ...(note?.split('\n') ?? [])].join('\n  ')
}
