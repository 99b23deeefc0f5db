import { malformed, packParcel, readParcel, type WatchBeginning, type WatchNews } from '@posthaste/broker/protocol'
import { PosthasteError } from '@posthaste/contracts'
import type { LinkStream, StreamSink } from '@posthaste/link/connection'
import { denied } from './denied.ts'
import type { Session } from './session.ts'
import type { Surroundings } from './surroundings.ts'

/** The stream of one who is told of the channels of a pattern. */
export function watching(session: Session, stream: LinkStream, { engine }: Surroundings): StreamSink {
  const { watching: all } = session
  let end = (): void => {}
  let isBegun = false
  let isOver = false
  const tell = (channels: readonly string[]): void => {
    const news: WatchNews = { channels }
    stream.send(packParcel(news))
  }
  const begin = async ({ pattern, watch, isOver: wasStopped }: WatchBeginning): Promise<void> => {
    if (typeof pattern !== 'string' || !Number.isInteger(watch)) throw malformed('it is no beginning of a watching')
    if (wasStopped) return forget(all, watch)
    const { permissions, user } = session.grants
    if (!permissions.mayFollow(pattern)) throw denied(user, 'consume', `'${pattern}'`)
    let first: string[] | undefined = []
    const stop = await engine.patterns?.watch(pattern, (channel) => {
      if (first !== undefined) first.push(channel)
      else if (!isOver) tell([channel])
    })
    if (stop === undefined || isOver) return stop?.()
    // Whoever is back needs nobody any more to stand for it, and until now somebody did.
    forget(all, watch)
    all.set(watch, stop)
    end = () => {
      if (all.get(watch) === stop) forget(all, watch)
    }
    tell(first)
    first = undefined
  }
  return {
    message(body) {
      if (isBegun) return
      isBegun = true
      const beginning = async (): Promise<void> => begin(readParcel(body).head as WatchBeginning)
      beginning().catch((thrown: unknown) => stream.fail(PosthasteError.from(thrown, 'BODY_MALFORMED', 'watch')))
    },
    ended() {
      isOver = true
      end()
      stream.end()
    },
    // The client begins again when it is back, or says that it has stopped; until then, somebody still watches.
    failed({ code }) {
      isOver = true
      // Who gives a watching up does not come back for it, and could give up any number.
      if (code !== 'UNAVAILABLE' && code !== 'OVERLOADED') end()
      stream.end()
    },
    writable() {},
  }
}

/** A pattern that seems to be watched keeps its groups for ever. */
function forget(all: Map<number, () => void>, watch: number): void {
  const stop = all.get(watch)
  all.delete(watch)
  stop?.()
}
