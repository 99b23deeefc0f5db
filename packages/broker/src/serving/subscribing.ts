import { readParcel } from '@posthaste/broker/protocol'
import { PosthasteError } from '@posthaste/contracts'
import type { LinkStream, StreamSink } from '@posthaste/link/connection'
import { Tally } from '../quotas/tally.ts'
import { denied } from './denied.ts'
import { subscribeBeginning } from './heads.ts'
import type { Session } from './session.ts'
import { Subscription } from './subscription.ts'
import type { Surroundings } from './surroundings.ts'

/** The stream of one subscription. */
export function subscribing(find: (id: string) => Session, stream: LinkStream, around: Surroundings): StreamSink {
  let subscription: Subscription | undefined
  let session: Session | undefined
  // The client takes no part in it any more, and does not come back for it.
  const end = (): void => {
    if (subscription?.detach(stream) === true) void subscription.stop()
  }
  const fail = (thrown: unknown): void => {
    end()
    stream.fail(PosthasteError.from(thrown, 'BODY_MALFORMED', 'subscribe'))
  }
  const begin = (body: Uint8Array): void => {
    const beginning = subscribeBeginning(readParcel(body).head)
    const found = find(beginning.session)
    session = found
    const { subscription: number, channel, group, member, holding } = beginning
    const known = found.subscriptions.get(number)
    // It has ended meanwhile, and the client did not hear of it.
    if (holding !== undefined && known === undefined)
      throw new PosthasteError('DELIVERY_LOST', 'the subscription has ended')
    // A client that did not hear that it had joined goes on, too: who leaves to join again loses a temporary group.
    if (known !== undefined && (holding !== undefined || known.hasJoinedAs(beginning))) {
      subscription = known
      known.resume(stream, beginning)
      return
    }
    const { permissions, user } = found.grants
    if (!permissions.may('consume', channel)) throw denied(user, 'consume', `'${channel}'`)
    void known?.stop()
    const giveBack = Tally.take('subscriptions', [found.grants.places, around.places])
    const left = (): void => {
      giveBack()
      if (found.subscriptions.get(number) === subscription) found.subscriptions.delete(number)
      found.left({ channel, group })
    }
    subscription = new Subscription({ grants: found.grants, left }, { channel, group, member }, around)
    found.subscriptions.set(number, subscription)
    subscription.join(stream, beginning).catch((thrown: unknown) => {
      left()
      fail(thrown)
    })
  }
  return {
    // Of settlements that publish, it comes back as the limits of the user allow.
    holdsCredit: true,
    message(body) {
      try {
        if (subscription === undefined) {
          begin(body)
          stream.consumed(body.byteLength)
        } else subscription.heard(body, stream)
      } catch (thrown) {
        fail(thrown)
      }
    },
    ended() {
      end()
      stream.end()
    },
    failed({ code }) {
      // Clients go on over another stream after these two, and after nothing else.
      if (code !== 'UNAVAILABLE' && code !== 'OVERLOADED') end()
      else if (subscription?.detach(stream) === true) session?.orphaned()
      stream.end()
    },
    writable: () => subscription?.writable(stream),
  }
}
