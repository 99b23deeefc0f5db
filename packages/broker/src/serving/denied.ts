import { PosthasteError } from '@posthaste/contracts'
import type { Right } from '../access/rights.ts'

/** A user lacks a right. */
export function denied(user: string, right: Right, what: string): PosthasteError {
  return new PosthasteError('PERMISSION_DENIED', `user '${user}' may not ${right} ${what}`, {
    remedy: `Give the user the right '${right}' for the channel in the broker's configuration.`,
  })
}

/** A record is larger than the configuration lets it be. */
export function tooLarge(id: string, bytesMax: number): PosthasteError {
  return new PosthasteError('BODY_TOO_LARGE', `record ${id}: its body is over the broker's limit of ${bytesMax} bytes`)
}
