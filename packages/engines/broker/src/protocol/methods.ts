const service = 'posthaste.broker'

/** Streams that last. */
export const streams = {
  session: `${service}/session`,
  publish: `${service}/publish`,
  subscribe: `${service}/subscribe`,
  watch: `${service}/watch`,
} as const

/** What is asked for and answered. */
export const callNames = [
  'declare',
  'topology',
  'channels',
  'groups',
  'clients',
  'cancel',
  'dueAt',
  'browse',
  'move',
  'lag',
  'seek',
  'prepare',
  'commit',
  'rollback',
  'postpone',
  'prepared',
  'declarePattern',
  'snapshot',
] as const

/** One of them. */
export type CallName = (typeof callNames)[number]

/** Their names on the wire. */
export function methodOf(call: CallName): string {
  return `${service}/${call}`
}

/** The header of a stream that says which session it is of. */
export const sessionHeader = 'session'
