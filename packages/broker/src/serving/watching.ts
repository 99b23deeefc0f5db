import { packParcel, readParcel, type WatchBeginning, type WatchNews } from '@posthaste/broker/protocol'
import { PosthasteError } from '@posthaste/contracts'
import type { LinkStream, StreamSink } from '@posthaste/link/connection'
import { Tally } from '../quotas/tally.ts'
import { denied } from './denied.ts'
import { watchBeginning } from './heads.ts'
import type { Session } from './session.ts'
import type { Surroundings } from './surroundings.ts'
import type { Watch } from './watchings.ts'

/** The stream of one who is told of the channels of a pattern. */
export function watching(session: Session, stream: LinkStream, { engine, places }: Surroundings): StreamSink {
  const { watchings, grants } = session
  let watch: Watch | undefined
  let isBegun = false
  let isOver = false
  const tell = (channels: readonly string[]) => stream.send(packParcel({ channels } satisfies WatchNews))
  const take = (): (() => void) => Tally.take('subscriptions', [grants.places, places])
  const begin = async ({ pattern, watch: number, isOver: wasStopped }: WatchBeginning): Promise<void> => {
    if (wasStopped) return watchings.end(number)
    if (!grants.permissions.mayFollow(pattern)) throw denied(grants.user, 'consume', `'${pattern}'`)
    // Whoever is back has a place already.
    let giveBack = watchings.get(number) === undefined ? take() : undefined
    let stop: (() => void) | undefined
    let first: string[] | undefined = []
    const onChannel = (channel: string): void => {
      if (first !== undefined) first.push(channel)
      else if (!isOver) tell([channel])
    }
    try {
      stop = await engine.patterns?.watch(pattern, onChannel)
      if (isOver) {
        // Whoever stood for it until now still does: the client may be back once more.
        giveBack?.()
        stop?.()
        return
      }
      // It would stay for good.
      if (session.isOver) throw sessionEnded()
      giveBack ??= watchings.get(number)?.handOver() ?? take()
    } catch (thrown) {
      giveBack?.()
      stop?.()
      throw thrown
    }
    const over = (): void => {
      stop?.()
      // Not by the client.
      if (!isOver) stream.fail(sessionEnded())
    }
    watch = watchings.begin(number, { pattern, giveBack, stop: over })
    tell(first)
    first = undefined
  }
  return {
    message(body) {
      if (isBegun) return
      isBegun = true
      const beginning = async (): Promise<void> => begin(watchBeginning(readParcel(body).head))
      beginning().catch((thrown: unknown) => stream.fail(PosthasteError.from(thrown, 'BODY_MALFORMED', 'watch')))
    },
    ended() {
      isOver = true
      watchings.endOne(watch)
      stream.end()
    },
    // The client begins again when it is back, or says that it has stopped; until then, somebody still watches.
    failed({ code }) {
      isOver = true
      // Who gives a watching up does not come back for it, and could give up any number.
      if (code !== 'UNAVAILABLE' && code !== 'OVERLOADED') watchings.endOne(watch)
      else if (watch !== undefined) {
        watch.isOrphan = true
        session.orphaned()
      }
      stream.end()
    },
    writable() {},
  }
}

function sessionEnded(): PosthasteError {
  return new PosthasteError('UNAVAILABLE', 'the session has ended')
}
