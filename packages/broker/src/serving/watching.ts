import { packParcel, readParcel } from '@posthaste/broker/protocol'
import { PosthasteError } from '@posthaste/contracts'
import type { LinkStream, StreamSink } from '@posthaste/link/connection'
import { denied } from './denied.ts'
import type { Session, Watching } from './session.ts'
import type { Surroundings } from './surroundings.ts'

/** The stream of one who is told of the channels of a pattern. */
export function watching(session: Session, stream: LinkStream, { engine }: Surroundings): StreamSink {
  let own: Watching | undefined
  let isBegun = false
  let isOver = false
  const end = (): void => {
    isOver = true
    if (own !== undefined) session.watching.delete(own)
    own?.stop()
  }
  const begin = async (pattern: string): Promise<void> => {
    const { permissions, user } = session.grants
    if (!permissions.mayFollow(pattern)) throw denied(user, 'consume', `'${pattern}'`)
    let first: string[] | undefined = []
    const watched = await engine.patterns?.watch(pattern, (channel) => {
      if (first !== undefined) first.push(channel)
      else if (!isOver) stream.send(packParcel({ channels: [channel] }))
    })
    if (watched === undefined || isOver) return watched?.()
    own = { pattern, isLost: () => isOver, stop: watched }
    forgetLost(session.watching, pattern)
    session.watching.add(own)
    stream.send(packParcel({ channels: first }))
    first = undefined
  }
  return {
    message(body) {
      if (isBegun) return
      isBegun = true
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

/** Whoever is back needs nobody any more to stand for it: a pattern that seems to be watched keeps its groups for ever. */
function forgetLost(all: Set<Watching>, pattern: string): void {
  for (const each of all) {
    if (each.pattern !== pattern || !each.isLost()) continue
    all.delete(each)
    each.stop()
  }
}
