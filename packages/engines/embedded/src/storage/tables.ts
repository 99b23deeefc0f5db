/** The tables of the store: one environment, so that one transaction changes any of them together. */
export type TableName = keyof typeof tableNames

/**
 * - `meta`: format and owner, by name.
 * - `topology`: channels and groups as they were declared, by name.
 * - `tails`: next offset of a channel, by channel.
 * - `blocks`: records, by channel and offset of the first.
 * - `cursors`: how far a group is, by cursor.
 * - `settled`: what a group has settled above that, by cursor and offset.
 * - `entries`: records with a history (attempts, waiting), by cursor and offset.
 * - `timers`: scheduled records, by due time; `scheduled`: the same by channel and id; `counts`: how many, by channel.
 * - `known`: ids that a channel was given, by channel and id; `knownByTime`: the same by channel and time.
 * - `prepared`: records that nobody sees yet, by channel and id; `checks`: the same by channel and when to ask about them.
 * - `quarantine`: bytes of damaged records, by channel and offset.
 */
export const tableNames = {
  meta: 'meta',
  topology: 'topology',
  tails: 'tails',
  blocks: 'blocks',
  cursors: 'cursors',
  settled: 'settled',
  entries: 'entries',
  timers: 'timers',
  scheduled: 'scheduled',
  counts: 'counts',
  known: 'known',
  knownByTime: 'knownByTime',
  prepared: 'prepared',
  checks: 'checks',
  quarantine: 'quarantine',
}
