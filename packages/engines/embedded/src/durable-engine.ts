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

  /**
   * Copies everything, as one moment had it, into a directory; publishers and consumers go on meanwhile. What was
   * confirmed before the call is in it. To restore it, open an engine on the copy: that begins as after a crash at that
   * moment. Several may be taken at a time; `close` waits for them. While one is taken, no space of the original is used again.
   *
   * @param dir on a local file system; made if it does not exist. What stands there when it resolves is whole and durable
   * @throws FAILED_PRECONDITION when the directory is not empty
   * @throws INVALID_ARGUMENT when it is no path
   * @throws UNAVAILABLE when the copy cannot be written; nothing of it is left then
   * @throws ENGINE_CLOSED ENGINE_WRITE_FAILED
   */
  snapshot(dir: string): Promise<void>
}
