import { type Codec, type Issue, PosthasteError } from '@posthaste/contracts'
import type { DialOptions, ListenOptions } from '../connection/index.ts'
import type { Authorize } from './endpoint.ts'
import { codecIssues } from './formats.ts'

/** Where a server of link listens, who may call what, and how messages are written. Every limit has a default. */
export interface LinkOptions extends Omit<ListenOptions, 'codecs'> {
  /** Formats for every method beside JSON, which is always there, and those that contracts bring. Default: none. */
  readonly codecs?: readonly Codec[] | undefined
  /**
   * Secrets by the user they stand for, one or several for each: whoever shows none of them is refused with
   * UNAUTHENTICATED. Instead of `authenticate`.
   */
  readonly tokens?: Readonly<Record<string, string | readonly string[]>> | undefined
  /**
   * Whether a peer may call a method; asked for each call, so decide from what is at hand. Anything but true refuses the call
   * with PERMISSION_DENIED; a `PosthasteError` that it throws refuses with that. Default: whoever is let in may call
   * everything.
   */
  readonly authorize?: Authorize | undefined
}

/** Which server is called, as whom, and how messages are written. */
export interface LinkClientOptions extends DialOptions {
  /** Formats for every method that go before JSON where the server has them, the preferred first. Default: none. */
  readonly codecs?: readonly Codec[] | undefined
}

/** Largest message taken, where options do not say. */
export const messageBytesMaxDefault = 16 * 1024 * 1024

/** @throws CONFIG_INVALID listing every issue, if there are any */
export function refuse(what: string, issues: readonly Issue[]): void {
  if (issues.length === 0) return
  const list = issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
  throw new PosthasteError('CONFIG_INVALID', `${what}: ${list}`, { issues })
}

/** What is wrong with what a server of link has beside the options of its listener. */
export function serverIssues({ codecs, tokens, authorize, authenticate }: LinkOptions): readonly Issue[] {
  const issues = [...codecIssues(codecs), ...tokenIssues(tokens)]
  if (authorize !== undefined && typeof authorize !== 'function')
    issues.push({ path: 'authorize', message: 'must be a function' })
  if (tokens !== undefined && authenticate !== undefined)
    issues.push({ path: 'tokens', message: 'excludes authenticate' })
  return issues
}

function tokenIssues(tokens: unknown): readonly Issue[] {
  if (tokens === undefined) return []
  if (typeof tokens !== 'object' || tokens === null || Array.isArray(tokens))
    return [{ path: 'tokens', message: 'must be secrets by user' }]
  const issues: Issue[] = []
  const seen = new Set<unknown>()
  for (const [user, given] of Object.entries(tokens)) {
    const path = `tokens.${user}`
    for (const token of [given].flat() as unknown[]) {
      // Never the token itself: messages stand in logs.
      if (typeof token !== 'string' || token.length < tokenCharactersMin || token.length > tokenCharactersMax)
        issues.push({ path, message: `must be text of ${tokenCharactersMin} to ${tokenCharactersMax} characters` })
      else if (seen.has(token)) issues.push({ path, message: 'is a secret that is there already' })
      seen.add(token)
    }
  }
  return issues
}

const tokenCharactersMin = 8
const tokenCharactersMax = 4_096
