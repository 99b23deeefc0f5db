import { PosthasteError } from '@posthaste/contracts'

/*
 * Everything that is said between a client and a broker has a version, of which both must speak one: the names of methods, what
 * stands in their messages, and the names of headers that travel as numbers. Whoever changes any of it so that the other side
 * would misread it, or would not know what to do, gives it the next number.
 *
 *   1  the first
 *   2  `prepared` is told page by page
 */

/** The versions that this release speaks, the best first. */
export const protocolVersions: readonly number[] = Object.freeze([2])

/** The best of ours that the other side speaks as well; undefined where there is none. */
export function commonVersion(
  theirs: readonly number[],
  ours: readonly number[] = protocolVersions,
): number | undefined {
  return ours.find((version) => theirs.includes(version))
}

/** The two sides do not go together, and nothing is done. */
export function incompatible(client: readonly number[], broker: readonly number[]): PosthasteError {
  const older = Math.max(...client) < Math.max(...broker) ? 'the client' : 'the broker'
  const message = `the client speaks version ${listed(client)} of the broker's protocol, and the broker ${listed(broker)}`
  return new PosthasteError('FAILED_PRECONDITION', message, {
    remedy: `Use one release of Posthaste for the broker and its clients: here, ${older} is the older one.`,
    details: { client, broker },
  })
}

function listed(versions: readonly number[]): string {
  return versions.length === 0 ? 'none' : versions.join(' or ')
}
