import { always, type Guarantee } from './guarantee.ts'

/** Beginnings, ends and restarts. */
export const lifeGuarantees: readonly Guarantee[] = [
  {
    id: 'G45',
    title: 'A drain hands back and counts nothing',
    area: 'Life cycle',
    promise:
      'A close takes no new work, lets running handlers end within the grace, then cancels them and hands their messages back. None of this counts as an attempt, and nothing is dead-lettered by a deploy, however many there are.',
    support: always,
    cases: ['bus-close/uncounted', 'life/unsettled-at-close'],
    refusals: [],
  },
  {
    id: 'G46',
    title: 'A closed engine is closed',
    area: 'Life cycle',
    promise:
      'Close answers everything that waits, delivers nothing afterwards, refuses every later call with ENGINE_CLOSED, and may be called again, at any time. Nothing hangs, also under load, or without a connection.',
    support: always,
    cases: ['life/closed', 'publish/close-under-load', 'load/close-with-work', 'faults/close', 'bus-close/under-load'],
    refusals: [],
  },
  {
    id: 'G47',
    title: 'Restarts in the midst of work lose nothing',
    area: 'Life cycle',
    promise:
      'An engine that is restarted again and again while messages are published, handled and retried has lost nothing that was confirmed and nothing that was promised about attempts and delays. So it is with a connection that is cut, half closed, swallowed or slow: subscriptions go on by themselves when it is back. An application that closes before its engine repeats nothing; where the engine is restarted under its members, or crashes, at most what was in flight is repeated, and it is counted.',
    support: always,
    cases: [
      'life/restarts',
      'load/restart',
      'load/crash',
      'attempts/settled-before-crash',
      'faults/resumes',
      'faults/slow',
      'bus-restart/*',
    ],
    refusals: [],
  },
]
