import { packParcel, readParcel } from '@posthaste/broker/protocol'
import { PosthasteError } from '@posthaste/contracts'
import type { LinkStream, StreamSink } from '@posthaste/link/connection'
import { denied } from './denied.ts'
import type { Session } from './session.ts'
import type { Surroundings } from './surroundings.ts'

/** The stream of one who is told of the channels of a pattern. */
export function watching(session: Session, stream: LinkStream, { engine }: Surroundings): StreamSink {
  let stop: (() => void) | undefined
  let isOver = false
  const end = (): void => {
    isOver = true
    if (stop !== undefined) session.watching.delete(stop)
    stop?.()
  }
  const begin = async (pattern: string): Promise<void> => {
    const { permissions, user } = session.grants
    if (!permissions.mayFollow(pattern)) throw denied(user, 'consume', `'${pattern}'`)
    let first: string[] | undefined = []
    const watched = await engine.patterns?.watch(pattern, (channel) => {
      if (first !== undefined) first.push(channel)
      else if (!isOver) stream.send(packParcel({ channels: [channel] }))
    })
    stop = watched
    if (isOver) return end()
    if (watched !== undefined) session.watching.add(watched)
    stream.send(packParcel({ channels: first }))
    first = undefined
  }
  return {
    message(body) {
      begin(String((readParcel(body).head as { readonly pattern?: unknown }).pattern)).catch((thrown: unknown) =>
        stream.fail(PosthasteError.from(thrown, 'INTERNAL', 'watch')),
      )
    },
    ended() {
      end()
      stream.end()
    },
    // The client begins again when it is back; until then, somebody still watches.
    failed() {
      isOver = true
      stream.end()
    },
    writable() {},
  }
}
