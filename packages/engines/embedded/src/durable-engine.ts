import type { Engine } from '@posthaste/contracts'

/** An engine on a disk of this machine, with what its operator may ask of it alone. */
export interface DurableEngine extends Engine {
  /**
   * Goes on after a write has failed, once the disk is well again: reads anew what stands in the directory, and shows by a
   * durable write that it can be written. What was confirmed stands, what was refused may be published again. The
   * subscriptions have ended with the failure; members subscribe again, as the bus does by itself. Does nothing on an
   * engine that has not failed; calls at the same time are one.
   *
   * @throws ENGINE_WRITE_FAILED while the disk cannot be written, or the store does not let go of its file; nothing is lost
   *   by calling it again
   * @throws ENGINE_CLOSED before `open` and after `close`
   * @throws ENGINE_LOCKED when another process has taken the directory meanwhile
   */
  resume(): Promise<void>
}
