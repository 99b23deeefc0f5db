import { createHash } from 'node:crypto'
import { PosthasteError } from '@posthaste/contracts'
import type { LinkCredentials, LinkIdentity } from '../connection/options.ts'

/**
 * Finds the user of a token. Tokens are looked up by their digest, so that the time it takes says nothing about how much of
 * one was right.
 */
export function authenticateBy(
  tokens: Readonly<Record<string, string | readonly string[]>>,
): (credentials: LinkCredentials) => LinkIdentity {
  const users = new Map<string, string>()
  for (const [user, given] of Object.entries(tokens)) for (const token of [given].flat()) users.set(digest(token), user)
  return ({ token }) => {
    const user = token === undefined ? undefined : users.get(digest(token))
    if (user !== undefined) return { user }
    throw new PosthasteError('UNAUTHENTICATED', token === undefined ? 'a token is needed' : 'nobody has this token')
  }
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}
