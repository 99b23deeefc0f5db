/** What tests of applications, engines and filters use: a clock that stands, and logs that are silent or remember. */

export { silentLog } from '../pipeline/log.ts'
export { type ManualClock, manualClock } from './manual-clock.ts'
export { type LogEntry, type RecordingLog, recordingLog } from './recording-log.ts'
