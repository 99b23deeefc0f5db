import type { Log, LogFields } from '@posthaste/contracts'

/** One line that was logged. */
export interface LogEntry {
  readonly level: keyof Log
  readonly message: string
  readonly fields: LogFields
}

/** A log that remembers. */
export interface RecordingLog extends Log {
  /** What was logged so far, oldest first. */
  readonly entries: readonly LogEntry[]
}

/** A log for tests that assert on what was told. */
export function recordingLog(): RecordingLog {
  const entries: LogEntry[] = []
  const record =
    (level: keyof Log) =>
    (message: string, fields: LogFields = {}): void => {
      entries.push({ level, message, fields })
    }
  return { entries, debug: record('debug'), info: record('info'), warn: record('warn'), error: record('error') }
}
