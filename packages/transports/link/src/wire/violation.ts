import { PosthasteError } from '@posthaste/contracts'

/*
 * What the other side must not do. Each ends the connection with a GOAWAY of the same code; docs/reference/link.md lists
 * which code stands for what.
 */

const remedy = 'Correct the other side: what it sent is against the protocol of docs/reference/link.md.'

/** Bytes that cannot be parsed. */
export function malformed(what: string): PosthasteError {
  return new PosthasteError('BODY_MALFORMED', `link: ${what}`, { remedy })
}

/** More bytes than the receiver said it takes. */
export function tooLarge(what: string): PosthasteError {
  return new PosthasteError('BODY_TOO_LARGE', `link: ${what}`, { remedy })
}

/** A well-formed frame that is not allowed where it stands. */
export function outOfPlace(what: string): PosthasteError {
  return new PosthasteError('FAILED_PRECONDITION', `link: ${what}`, { remedy })
}
