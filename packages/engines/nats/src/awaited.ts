import { PosthasteError } from '@posthaste/contracts'
import type { Link } from './link.ts'

/** Something that is to come over the connection as it is now: when that is lost, it does not. */
export class Awaited {
  readonly done: Promise<void>
  readonly end: () => void
  complete: () => void = () => {}

  constructor(link: Link) {
    let fail: () => void = () => {}
    this.done = new Promise((resolve, reject) => {
      this.complete = resolve
      fail = () => reject(new PosthasteError('UNAVAILABLE', 'the bucket was not told as a whole'))
    })
    // Nobody may be waiting yet.
    this.done.catch(() => {})
    const timer = link.host.clock.setTimer(link.settings.timeoutMs, fail)
    const unlisten = link.listen({ onLost: fail, onConnected: () => {} })
    this.end = () => {
      timer.cancel()
      unlisten()
    }
  }
}
