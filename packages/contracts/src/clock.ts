/** A timer that was set and may be taken back. */
export interface Timer {
  /** Takes the timer back; does nothing once it has fired. */
  cancel(): void
}

/**
 * Time, as everything in Posthaste sees it. Nothing else reads the machine's clock, so a test that brings a clock of its
 * own rules over every timeout, delay and backoff.
 */
export interface Clock {
  /** Wall-clock time, milliseconds since the Unix epoch. May jump; use it for what is stored or sent. */
  nowMs(): number
  /** Milliseconds since an arbitrary start; never goes back. Use it for deadlines and durations within the process. */
  monotonicMs(): number
  /** Calls `fire` once, no sooner than `delayMs` from now. A pending timer does not keep the process alive by itself. */
  setTimer(delayMs: number, fire: () => void): Timer
}

/** Where Posthaste tells what happens. `fields` are facts for machines; never payloads, never secrets. */
export interface Log {
  /** Of use while searching a fault. */
  debug(message: string, fields?: LogFields): void
  /** A step in the life of the application. */
  info(message: string, fields?: LogFields): void
  /** Something is wrong and is being dealt with. */
  warn(message: string, fields?: LogFields): void
  /** Something is wrong and needs a person. */
  error(message: string, fields?: LogFields): void
}

/** Facts beside a log message. */
export type LogFields = Readonly<Record<string, unknown>>
