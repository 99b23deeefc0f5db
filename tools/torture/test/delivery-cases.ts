import type { FaultKind } from '../history.ts'
import {
  burying,
  confirmed,
  dead,
  derived,
  end,
  flaky,
  flow,
  handled,
  intent,
  type Lives,
  poison,
  published,
  rejected,
  relay,
  start,
  stored,
} from './entries.ts'

const timed = { channel: 'torture.timed', key: undefined }

/** Histories in which all is well. */
export const soundDeliveries: readonly (readonly [what: string, ...lives: Lives])[] = [
  ['is one where all is handled in order', [...published('0-1', '0-2'), ...handled('0-1'), ...handled('0-2')]],
  ['may lack what was not confirmed', [intent('0-1')]],
  ['may have what was not confirmed', [intent('0-1'), ...handled('0-1')]],
  ['may repeat after a crash', [...published('0-1'), ...handled('0-1')], handled('0-1', 2)],
  [
    'may repeat several of a key after a crash, in order',
    [...published('0-1', '0-2'), ...handled('0-1'), ...handled('0-2')],
    [...handled('0-1', 2), ...handled('0-2', 2)],
  ],
  ['may begin in vain in a life that ends', [...published('0-1'), start('0-1')], handled('0-1', 2)],
  [
    'may lack what was cancelled, or perhaps was',
    [
      intent('0-1', timed),
      confirmed('0-1'),
      { t: 'cancelling', id: '0-1' },
      { t: 'cancelled', id: '0-1', wasWaiting: true },
    ],
    [intent('1-1', timed), confirmed('1-1'), { t: 'cancelling', id: '1-1' }],
  ],
  [
    'may retry in place',
    [intent('0-1', { plan: flaky }), confirmed('0-1'), start('0-1'), end('0-1', 'failure'), ...handled('0-1', 2)],
  ],
  [
    'may have later ones pass a dead letter',
    [
      intent('0-1', { plan: rejected }),
      confirmed('0-1'),
      ...published('0-2'),
      start('0-1'),
      end('0-1', 'rejection'),
      ...handled('0-2'),
      dead('0-1', 'HANDLER_REJECTED'),
    ],
  ],
  [
    'may begin anew after a redrive',
    [
      intent('0-1', { plan: rejected }),
      confirmed('0-1'),
      start('0-1', 3),
      end('0-1', 'rejection'),
      burying('redriving', '0-1'),
      ...handled('0-1', 1),
    ],
  ],
  ['may bury poison', [intent('0-1', { plan: poison }), start('0-1')], [dead('0-1', 'ATTEMPTS_EXHAUSTED')]],
  [
    'may bury what is malformed without handing it over',
    [
      intent('0-1', { plan: { kind: 'malformed', at: '', failures: 0 } }),
      confirmed('0-1'),
      dead('0-1', 'BODY_MALFORMED'),
    ],
  ],
  ['may lead from message to message', flow],
  [
    'may lead on from what a crash kept from being discarded',
    [...flow.slice(0, 4), end('u-1', 'rejection', relay), burying('discarding', 'u-1', relay)],
    [burying('redriving', 'u-1', relay), start('u-1', 1, relay), ...flow.slice(4)],
  ],
]

/** Histories with one fault each. */
export const faultyDeliveries: readonly (readonly [kind: FaultKind, what: string, ...lives: Lives])[] = [
  ['lost', 'a confirmed message that nobody handled', published('0-1')],
  ['lost', 'a confirmed message that was only begun', [...published('0-1'), start('0-1')]],
  [
    'lost',
    'a confirmed message that one of two groups missed',
    [
      intent('0-1', { channel: 'torture.plain', key: undefined }),
      confirmed('0-1'),
      start('0-1', 1, { channel: 'torture.plain', group: 'alpha', key: undefined }),
      end('0-1', 'success', { channel: 'torture.plain', group: 'alpha' }),
    ],
  ],
  [
    'lost',
    'a message that was too late to cancel',
    [
      intent('0-1', timed),
      confirmed('0-1'),
      { t: 'cancelling', id: '0-1' },
      { t: 'cancelled', id: '0-1', wasWaiting: false },
    ],
  ],
  ['lost', 'a downstream message that is not stored', flow.slice(0, -1)],
  ['lost', 'a downstream message that nobody handled', [...flow.slice(0, 5), flow.at(-1)!]],
  ['corrupt', 'a message that nobody published', handled('0-1')],
  ['corrupt', 'data that changed', [...published('0-1'), start('0-1', 1, { sum: 1 }), end('0-1')]],
  ['corrupt', 'a key that changed', [...published('0-1'), start('0-1', 1, { key: 'other' }), end('0-1')]],
  ['order', 'two of a key that were swapped', [...published('0-1', '0-2'), ...handled('0-2'), ...handled('0-1')]],
  [
    'order',
    'one that was begun in vain before its turn',
    [...published('0-1', '0-2'), start('0-2'), end('0-2', 'failure'), ...handled('0-1'), ...handled('0-2', 2)],
  ],
  [
    'order',
    'one that passed another which waits for its retry',
    [...published('0-1', '0-2'), start('0-1'), end('0-1', 'failure'), ...handled('0-2'), ...handled('0-1', 2)],
  ],
  [
    'order',
    'repetitions that came in the wrong order',
    [...published('0-1', '0-2'), ...handled('0-1'), ...handled('0-2')],
    [...handled('0-2', 2), ...handled('0-1', 2)],
  ],
  [
    'overlap',
    'two of a key at a time',
    [...published('0-1', '0-2'), start('0-1'), start('0-2'), end('0-1'), end('0-2')],
  ],
  ['attempt-reset', 'an attempt that began at 1 again', [...published('0-1'), start('0-1', 2)], handled('0-1', 1)],
  ['attempt-reset', 'a crash that was not counted', [...published('0-1'), start('0-1', 1)], handled('0-1', 1)],
  [
    'attempt-reset',
    'a failure that was not counted',
    [...published('0-1'), start('0-1'), end('0-1', 'failure'), ...handled('0-1', 1)],
  ],
  [
    'misdirected',
    'a redrive that another group got',
    [
      intent('0-1', { channel: 'torture.plain', key: undefined, plan: { ...rejected, at: 'alpha' } }),
      ...['alpha', 'gamma'].flatMap((group) => [
        start('0-1', 1, { channel: 'torture.plain', group, key: undefined }),
        end('0-1', group === 'alpha' ? 'rejection' : 'success', { channel: 'torture.plain', group }),
      ]),
      burying('redriving', '0-1', { channel: 'torture.plain', group: 'alpha' }),
      start('0-1', 1, { channel: 'torture.plain', group: 'gamma', key: undefined }),
    ],
  ],
  [
    'duplicate-within-life',
    'a success that was repeated without a crash',
    [...published('0-1'), ...handled('0-1'), ...handled('0-1', 2)],
  ],
  [
    'early',
    'a delivery before its time',
    [intent('0-1', { ...timed, dueAtMs: 2_000 }), start('0-1', 1, { ...timed, atMs: 1_900 })],
  ],
  [
    'cancelled-delivered',
    'a delivery in spite of a confirmed cancel',
    [
      intent('0-1', timed),
      confirmed('0-1'),
      { t: 'cancelling', id: '0-1' },
      { t: 'cancelled', id: '0-1', wasWaiting: true },
      start('0-1', 1, timed),
    ],
  ],
  ...[
    { bodySum: 1 },
    { key: 'other' },
    { id: 'other' },
    { headers: { type: 'torture.work' } },
    { headers: { tag: 'tag' } },
  ].map(
    (change) =>
      [
        'dead-letter-altered',
        `a dead letter that has changed: ${JSON.stringify(change)}`,
        [intent('0-1', { plan: rejected }), dead('0-1', 'HANDLER_REJECTED', change)],
      ] as const,
  ),
  ['dead-letter-unjust', 'an innocent that crashes buried', [intent('0-1'), dead('0-1', 'ATTEMPTS_EXHAUSTED')]],
  [
    'dead-letter-unjust',
    'one that dies in a group where it is innocent',
    [intent('0-1', { plan: { ...rejected, at: 'other' } }), dead('0-1', 'HANDLER_REJECTED')],
  ],
  [
    'dead-letter-unjust',
    'one that was given up with attempts left',
    [
      intent('0-1', { plan: flaky }),
      start('0-1'),
      end('0-1', 'failure'),
      dead('0-1', 'ATTEMPTS_EXHAUSTED', { attempts: 2 }),
    ],
  ],
  ['dead-letter-unjust', 'a wrong reason', [intent('0-1', { plan: poison }), dead('0-1', 'HANDLER_REJECTED')]],
  [
    'dead-letter-doubled',
    'two dead letters of one message',
    [intent('0-1', { plan: rejected }), dead('0-1', 'HANDLER_REJECTED'), dead('0-1', 'HANDLER_REJECTED')],
  ],
  [
    'dead-letter-handled',
    'a dead letter that was redriven and stayed',
    [
      intent('0-1', { plan: rejected }),
      burying('redriving', '0-1'),
      ...handled('0-1'),
      dead('0-1', 'HANDLER_REJECTED'),
    ],
  ],
  ['downstream-doubled', 'a downstream message that is stored twice', [...flow, flow.at(-1)!]],
  [
    'downstream-orphan',
    'a downstream message of a handling that failed',
    [...flow.slice(0, 4), end('u-1', 'failure', relay), flow.at(-1)!],
  ],
  ['downstream-orphan', 'a downstream message of a dead letter', [...flow, dead('u-1', 'HANDLER_REJECTED', relay)]],
  ['downstream-orphan', 'a downstream message of what was discarded', [...flow, burying('discarding', 'u-1', relay)]],
  ['downstream-orphan', 'a downstream message that nobody made', [stored('d-2')]],
  ['id-not-derived', 'a repeated handling that published something new', [...flow, derived('d-2', 'u-1')]],
  ['undrained', 'a group that did not finish', [{ t: 'lag', ...relay, unsettled: 1 }]],
  ['error', 'an error that was reported', [{ t: 'error', text: 'broke' }]],
]
