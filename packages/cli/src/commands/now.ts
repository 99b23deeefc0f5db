import { systemClock } from 'posthaste/pipeline'

/** What times on a command line are counted from. */
export const now = (): number => systemClock.nowMs()
