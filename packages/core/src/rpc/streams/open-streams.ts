import { type Clock, PosthasteError } from '@posthaste/contracts'

/** A call with a stream that is under way. */
export interface OpenCall {
  /** Resolves when nothing of it is under way any more. Never rejects. */
  readonly ended: Promise<void>
  cancel(reason: PosthasteError): void
}

/** Calls with streams that are under way. */
export type OpenStreams = Set<OpenCall>

/** Waits until none is under way, those that begin meanwhile included, for `graceMs` at most; cancels those that are left. */
export async function drainStreams(open: OpenStreams, graceMs: number, clock: Clock): Promise<void> {
  let isTimeUp = graceMs <= 0
  const timeUp = Promise.withResolvers<void>()
  const timer = isTimeUp ? undefined : clock.setTimer(graceMs, timeUp.resolve)
  void timeUp.promise.then(() => {
    isTimeUp = true
  })
  while (open.size > 0 && !isTimeUp) {
    await Promise.race([timeUp.promise, Promise.all([...open].map(({ ended }) => ended))])
  }
  timer?.cancel()
  for (const call of open) call.cancel(new PosthasteError('UNAVAILABLE', 'the application is shutting down'))
}
