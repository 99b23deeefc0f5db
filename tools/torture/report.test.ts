import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { groupsOf, type Plan } from './contracts.ts'
import { type FaultKind, faultKinds, historyOf } from './history.ts'
import type { Dead, Derived, End, Entry, Intent, Place, Start } from './journal.ts'
import { judge } from './report.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const fine: Plan = { kind: 'fine', at: '', failures: 0 }

function intent(id: string, more: Partial<Intent> = {}): Intent {
  const seq = Number(id.split('-')[1])
  return { t: 'intent', id, channel: 'torture.work', key: 'k', seq, plan: fine, body: base64(id), tag: 'tag', ...more }
}

const confirmed = (id: string): Entry => ({ t: 'confirmed', id })

function placeOf(id: string, more: Partial<Place> = {}): Place {
  return { channel: 'torture.work', group: 'handler', id, ...more }
}

function start(id: string, attempt = 1, more: Partial<Start> = {}): Start {
  return { t: 'start', ...placeOf(id), key: 'k', attempt, sum: crc32(Buffer.from(id)), atMs: 1_000, ...more }
}

const end = (id: string, outcome: End['outcome'] = 'success', more: Partial<Place> = {}): End => {
  return { t: 'end', ...placeOf(id), ...more, outcome }
}

function dead(id: string, code: string, more: Partial<Dead> = {}): Dead {
  const type = more.channel ?? 'torture.work'
  return { t: 'dead', ...placeOf(id), key: 'k', code, attempts: 9, body: base64(id), tag: 'tag', type, ...more }
}

const handled = (id: string, attempt = 1): Entry[] => [start(id, attempt), end(id)]
const published = (...ids: readonly string[]): Entry[] => ids.flatMap((id) => [intent(id), confirmed(id)])

const relay = { channel: 'torture.upstream', group: 'relay' }
const sink = { channel: 'torture.downstream', group: 'sink' }

const derived = (id: string, of: string): Derived => {
  return { t: 'derived', id, of, channel: sink.channel, key: 'k', seq: 1, body: base64(id) }
}

/** An upstream message and the one that its handler publishes, up to the last entry. */
const flow: readonly Entry[] = [
  intent('u-1', relay),
  confirmed('u-1'),
  start('u-1', 1, relay),
  derived('d-1', 'u-1'),
  end('u-1', 'success', relay),
  start('d-1', 1, sink),
  end('d-1', 'success', sink),
  { t: 'stored', channel: sink.channel, id: 'd-1' },
]

const redriving = (id: string, more: Partial<Place> = {}): Entry => ({ t: 'redriving', ...placeOf(id, more) })

function kindsOf(...lives: readonly (readonly Entry[])[]): FaultKind[] {
  return [...new Set(judge(historyOf(lives)).faults.map(({ kind }) => kind))]
}

const rejected: Plan = { kind: 'rejected', at: 'handler', failures: 0 }
const poison: Plan = { kind: 'poison', at: 'handler', failures: 0 }
const flaky: Plan = { kind: 'flaky', at: 'handler', failures: 2 }
const timed = { channel: 'torture.timed', key: undefined }

describe('a history that keeps the guarantees', () => {
  const sound: readonly (readonly [what: string, ...lives: readonly (readonly Entry[])[]])[] = [
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
        redriving('0-1'),
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
  ]

  it.each(sound)('%s', (_what, ...lives) => {
    expect(judge(historyOf(lives as (readonly Entry[])[])).faults).toEqual([])
  })
})

describe('a fault is found', () => {
  const mutants: readonly (readonly [kind: FaultKind, what: string, ...lives: readonly (readonly Entry[])[]])[] = [
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
        redriving('0-1', { channel: 'torture.plain', group: 'alpha' }),
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
    ...(['body', 'key', 'tag', 'type', 'id'] as const).map(
      (field) =>
        [
          'dead-letter-altered',
          `a dead letter whose ${field} changed`,
          [intent('0-1', { plan: rejected }), dead('0-1', 'HANDLER_REJECTED', { [field]: 'other' })],
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
      [intent('0-1', { plan: rejected }), redriving('0-1'), ...handled('0-1'), dead('0-1', 'HANDLER_REJECTED')],
    ],
    ['downstream-doubled', 'a downstream message that is stored twice', [...flow, flow.at(-1)!]],
    [
      'downstream-orphan',
      'a downstream message of a handling that failed',
      [...flow.slice(0, 4), end('u-1', 'failure', relay), flow.at(-1)!],
    ],
    ['downstream-orphan', 'a downstream message of a dead letter', [...flow, dead('u-1', 'HANDLER_REJECTED', relay)]],
    ['downstream-orphan', 'a downstream message that nobody made', [{ t: 'stored', channel: sink.channel, id: 'd-2' }]],
    ['id-not-derived', 'a repeated handling that published something new', [...flow, derived('d-2', 'u-1')]],
    ['undrained', 'a group that did not finish', [{ t: 'lag', ...relay, unsettled: 1 }]],
    ['error', 'an error that was reported', [{ t: 'error', text: 'broke' }]],
  ]

  it.each(mutants)('%s: %s', (kind, _what, ...lives) => {
    expect(kindsOf(...(lives as (readonly Entry[])[]))).toContain(kind)
  })

  it('of every kind', () => {
    const proved = new Set(mutants.map(([kind]) => kind))
    expect(faultKinds.filter((kind) => !proved.has(kind))).toEqual([])
  })
})

describe('the verdict', () => {
  it('counts what was published, confirmed and handled', () => {
    const verdict = judge(historyOf([[...published('0-1'), intent('0-2'), ...handled('0-1')], handled('0-1', 2)]))
    expect(verdict).toMatchObject({ published: 2, confirmed: 1, unconfirmed: 1, received: 1, duplicates: 1 })
  })

  it('counts each group that loses a message', () => {
    const lost = judge(historyOf([[intent('0-1', { channel: 'torture.keyed' }), confirmed('0-1')]])).lost
    expect(lost).toBe(groupsOf.get('torture.keyed')!.length)
  })

  it('counts both ends of a flow', () => {
    expect(judge(historyOf([[...flow, flow.at(-1)!]])).exactlyOnce).toEqual({ upstream: 1, downstream: 1, doubled: 1 })
  })
})
