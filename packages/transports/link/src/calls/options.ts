import { type Codec, type Issue, PosthasteError } from '@posthaste/contracts'
import { dialSettings } from '../client/dial-options.ts'
import type { DialOptions, ListenOptions } from '../connection/options.ts'
import { listenSettings } from '../server/listen-options.ts'
import type { Authorize } from './endpoint.ts'
import { codecIssues } from './formats.ts'
import { json } from './json.ts'

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

/** @throws CONFIG_INVALID listing every wrong or unknown option of a server */
export function checkServer(options: LinkOptions): void {
  const { codecs, tokens, authorize, ...listening } = options
  const issues = [...codecIssues(codecs), ...tokenIssues(tokens)]
  if (authorize !== undefined && typeof authorize !== 'function')
    issues.push({ path: 'authorize', message: 'must be a function' })
  if (tokens !== undefined && options.authenticate !== undefined)
    issues.push({ path: 'tokens', message: 'excludes authenticate' })
  issues.push(...issuesOf(() => listenSettings({ ...listening, codecs: [json.contentType] })))
  refuse('link options', issues)
}

/** @throws CONFIG_INVALID listing every wrong or unknown option of a client */
export function checkClient({ codecs, ...dialing }: LinkClientOptions): void {
  refuse('link client options', [...codecIssues(codecs), ...issuesOf(() => dialSettings(dialing))])
}

function issuesOf(check: () => unknown): readonly Issue[] {
  try {
    check()
    return []
  } catch (error) {
    if (PosthasteError.is(error, 'CONFIG_INVALID')) return error.issues
    throw error
  }
}

function refuse(what: string, issues: readonly Issue[]): void {
  if (issues.length === 0) return
  const list = issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
  throw new PosthasteError('CONFIG_INVALID', `${what}: ${list}`, { issues })
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
