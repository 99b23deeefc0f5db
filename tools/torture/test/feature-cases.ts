import { crc32 } from 'node:zlib'
import { lateNewsOf, type Plan } from '../contracts.ts'
import { oncePrefetch } from '../flows.ts'
import type { FaultKind } from '../history.ts'
import type { Entry, GroupName, Intent } from '../journal.ts'
import {
  burying,
  confirmed,
  dead,
  end,
  flow,
  handled,
  intent,
  type Lives,
  published,
  publishedTo,
  rejected,
  relay,
  start,
  stored,
} from './entries.ts'

const plain = { key: undefined }
const once = { channel: 'torture.once', group: 'once', ...plain }
const bright = { channel: 'torture.news.tagged', group: 'bright', ...plain }
const dark = { ...bright, group: 'dark' }
const packed = { channel: 'torture.news.packed', group: 'alpha', ...plain }
const bulky = { channel: 'torture.bulky', group: 'alpha', ...plain }
const brief = { channel: 'torture.brief', group: 'handler', ...plain }
const ruled = { channel: 'torture.ruled', group: 'handler', ...plain }
const halves = { channel: 'torture.halves', group: 'alpha', ...plain }
const screen = { channel: 'torture.live', group: 'screen', ...plain }
const visitor = { ...screen, group: 'visitor' }
const replay = { channel: 'torture.replayed', group: 'replay' }
const batcher = { channel: 'torture.batched', group: 'batcher' }
const late = lateNewsOf(30).type
const auditOf = (channel: string) => ({ channel, group: 'audit', sum: undefined, ...plain })
const work: GroupName = { channel: 'torture.work', group: 'handler' }

const red: Partial<Intent> = { headers: { tag: 'red' } }
const audited = (id: string, channel: string): Entry[] => handled(id, 1, auditOf(channel))
const barred: Plan = { kind: 'barred', at: 'handler', failures: 0 }
const ignored: Plan = { kind: 'ignored', at: 'handler', failures: 0 }

const asked = (id: string): Entry => intent(id, { channel: 'torture.ask', ...plain })
const answer = (id: string, of = id): Entry => ({ t: 'answered', id, of, sum: crc32(of) })
const answering = (id: string): Entry[] => handled(id, 1, { channel: 'torture.ask', ...plain })

const prepared = (id: string, decision: 'commit' | 'rollback'): Entry[] => publishedTo(halves.channel, id, { decision })
const deciding = (id: string): Entry => ({ t: 'deciding', id, by: 'publisher' })
const storedHalf = (id: string): Entry => stored(id, { channel: halves.channel })
const committed = (id: string): Entry[] => [...prepared(id, 'commit'), deciding(id), ...handled(id, 1, halves)]

const tick = (id: string, forMs: number, atMs = forMs): Entry => ({ t: 'tick', id, name: 'n', forMs, atMs })
const storedTick = (id: string, forMs: number): Entry =>
  stored(id, { channel: 'torture.tick', atMs: forMs, occurrence: { name: 'n', forMs } })
const ready = (atMs: number): Entry => ({ t: 'ready', atMs })

const live = (id: string): Entry[] => publishedTo(screen.channel, id)
const seeking = (toMs: number): Entry => ({ t: 'seeking', ...replay, toMs })
const sought = (...retained: readonly string[]): Entry => ({ t: 'sought', ...replay, retained })
const replayed = (id: string, attempt = 1): Entry[] => handled(id, attempt, { ...replay, ...plain })
const kept = (id: string): Entry[] => [
  ...publishedTo('torture.kept', id),
  ...handled(id, 1, { channel: 'torture.kept', group: 'alpha', ...plain }),
]
const restored = (...ids: readonly string[]): Entry => ({ t: 'restored', name: '0', ids })
const snapshotting: Entry = { t: 'snapshotting', name: '0' }

/** Histories in which all is well. */
export const soundFeatures: readonly (readonly [what: string, ...lives: Lives])[] = [
  ['may miss at most once what a crash cut off', publishedTo(once.channel, '0-1')],
  [
    'has each group get what it wants',
    [...publishedTo(bright.channel, '0-1', red), ...handled('0-1', 1, bright), ...audited('0-1', bright.channel)],
  ],
  [
    'may have another format, and bodies in a store',
    [
      ...publishedTo(packed.channel, '0-1', { format: 'application/msgpack', bodySum: 7 }),
      ...handled('0-1', 1, { ...packed, format: 'application/msgpack' }),
      ...handled('0-1', 1, { ...auditOf(packed.channel), format: 'application/msgpack' }),
      ...publishedTo(bulky.channel, '0-2', { claimed: true }),
      ...handled('0-2', 1, { ...bulky, claimed: true }),
    ],
  ],
  [
    'buries what is too late',
    [
      ...publishedTo(brief.channel, '0-1', { timeToLiveMs: 500 }),
      dead('0-1', 'MESSAGE_EXPIRED', letterOf(brief.channel)),
    ],
  ],
  [
    'may handle what was too late when it is redriven',
    [
      ...publishedTo(brief.channel, '0-1', { timeToLiveMs: 500 }),
      burying('redriving', '0-1', brief),
      ...handled('0-1', 1, { ...brief, atMs: 9_000 }),
    ],
  ],
  [
    'buries apart what a rule bars, and settles what one ignores',
    [
      ...publishedTo(ruled.channel, '0-1', { plan: barred }),
      start('0-1', 1, ruled),
      end('0-1', 'barred', ruled),
      dead('0-1', 'HANDLER_FAILED', { ...letterOf(ruled.channel), target: 'barred' }),
      ...publishedTo(ruled.channel, '0-2', { plan: ignored }),
      start('0-2', 1, ruled),
      end('0-2', 'ignored', ruled),
    ],
  ],
  [
    'may discard dead letters',
    [...publishedRejected('0-1'), burying('discarding', '0-1'), burying('discarded', '0-1')],
  ],
  [
    'answers requests, or not',
    [
      asked('0-1'),
      ...answering('0-1'),
      answer('0-1'),
      asked('0-2'),
      { t: 'unanswered', id: '0-2', code: 'DEADLINE_EXCEEDED' },
      asked('0-3'),
    ],
  ],
  [
    'publishes what is committed, and forgets what is rolled back',
    [...committed('0-1'), storedHalf('0-1'), ...prepared('0-2', 'rollback'), deciding('0-2')],
  ],
  ['may prepare in vain what was not confirmed', [intent('0-1', { channel: halves.channel, decision: 'commit' })]],
  [
    'ticks once for each time, and may have one on its way',
    [tick('t-1', 1_000), ready(1_500), storedTick('t-1', 1_000), storedTick('t-2', 2_000), chains(2)],
  ],
  [
    'gives live groups what comes in their life',
    [...live('0-1'), ...handled('0-1', 1, screen), ...handled('0-1', 1, visitor), ...live('0-2')],
    [{ t: 'temporary', count: 2 }],
  ],
  ['replays in one life', [...replayedOnce('0-1'), seeking(0), ...replayed('0-1'), sought('0-1')]],
  [
    'may move on from what it was to replay',
    [...replayedOnce('0-1'), seeking(0), sought('0-1'), seeking(5_000), sought()],
  ],
  ['may have a paused group finish nothing', [...published('0-1'), paused(), resuming(), ...handled('0-1')]],
  [
    'has snapshots of what was there',
    [...kept('0-1'), snapshotting, ...kept('0-2'), stored('0-1', { channel: 'torture.kept' }), restored('0-1')],
  ],
]

/** Histories with one fault each. */
export const faultyFeatures: readonly (readonly [kind: FaultKind, what: string, ...lives: Lives])[] = [
  [
    'handled-again',
    'at most once',
    [...publishedTo(once.channel, '0-1'), start('0-1', 1, once)],
    [start('0-1', 2, once)],
  ],
  [
    'once-lost-too-many',
    'more than a crash can cut off',
    Array.from({ length: oncePrefetch + 1 }, (_, at) => publishedTo(once.channel, `0-${at}`)).flat(),
  ],
  ['unwanted', 'a tag that was filtered out', [...publishedTo(dark.channel, '0-1', red), ...handled('0-1', 1, dark)]],
  [
    'lost',
    'a message that a filter kept back',
    [...publishedTo(bright.channel, '0-1', red), ...audited('0-1', bright.channel)],
  ],
  ['lost', 'a message of a late channel that the pattern missed', publishedTo(late, '0-1')],
  [
    'wrong-format',
    'a body in JSON',
    [...publishedTo(packed.channel, '0-1', { format: 'x/y' }), ...handled('0-1', 1, packed)],
  ],
  [
    'wrong-claim',
    'a big body in the message',
    [...publishedTo(bulky.channel, '0-1', { claimed: true }), ...handled('0-1', 1, bulky)],
  ],
  [
    'late',
    'a handling long after the end',
    [...publishedTo(brief.channel, '0-1', { timeToLiveMs: 500 }), ...handled('0-1', 1, { ...brief, atMs: 9_000 })],
  ],
  [
    'dead-letter-unjust',
    'too late before its time',
    [
      ...publishedTo(brief.channel, '0-1', { timeToLiveMs: 5_000 }),
      dead('0-1', 'MESSAGE_EXPIRED', letterOf(brief.channel)),
    ],
  ],
  [
    'dead-letter-unjust',
    'a barred message among the others',
    [...publishedTo(ruled.channel, '0-1', { plan: barred }), dead('0-1', 'HANDLER_FAILED', letterOf(ruled.channel))],
  ],
  ['lost', 'an ignored message that nobody saw', publishedTo(ruled.channel, '0-1', { plan: ignored })],
  ['discarded-delivered', 'a discarded message that came', [...discarded('0-1'), ...handled('0-1')]],
  ['discarded-delivered', 'a discarded message that stayed', [...discarded('0-1'), dead('0-1', 'HANDLER_REJECTED')]],
  ['acknowledged-again', 'a handling after its effect was delivered', flow, [start('u-1', 2, relay)]],
  [
    'batch-key-doubled',
    'two of a key in a batch',
    [
      ...['0-1', '0-2'].flatMap((id) => [intent(id, batcher), confirmed(id)]),
      start('0-1', 1, { ...batcher, batch: 1 }),
      start('0-2', 1, { ...batcher, batch: 1 }),
      end('0-1', 'success', batcher),
      end('0-2', 'success', batcher),
    ],
  ],
  ['mixed-up', "another request's answer", [asked('0-1'), ...answering('0-1'), answer('0-1', '0-2')]],
  [
    'mixed-up',
    'an answer that says something else',
    [asked('0-1'), ...answering('0-1'), { ...answer('0-1'), sum: 1 } as Entry],
  ],
  ['answer-from-nowhere', 'an answer that no handler gave', [asked('0-1'), answer('0-1')]],
  ['request-failed', 'a failure of the bus', [asked('0-1'), { t: 'unanswered', id: '0-1', code: 'INTERNAL' }]],
  [
    'half-seen-early',
    'a delivery before the decision',
    [...prepared('0-1', 'commit'), ...handled('0-1', 1, halves), deciding('0-1')],
  ],
  [
    'half-rolled-back',
    'a delivery of what was rolled back',
    [...prepared('0-1', 'rollback'), deciding('0-1'), ...handled('0-1', 1, halves)],
  ],
  [
    'half-rolled-back',
    'what was rolled back in the channel',
    [...prepared('0-1', 'rollback'), deciding('0-1'), storedHalf('0-1')],
  ],
  ['half-doubled', 'a commit that published twice', [...committed('0-1'), storedHalf('0-1'), storedHalf('0-1')]],
  ['lost', 'a commit that published nothing', committed('0-1')],
  ['half-undecided', 'what nobody decided', [...prepared('0-1', 'rollback'), { t: 'undecided', id: '0-1' }]],
  ['recurring-doubled', 'a time that came twice', [storedTick('t-1', 1_000), storedTick('t-2', 1_000)]],
  ['recurring-doubled', 'one occurrence that is stored twice', [storedTick('t-1', 1_000), storedTick('t-1', 1_000)]],
  ['recurring-early', 'a time before it came', [tick('t-1', 1_000, 900)]],
  ['recurring-lost', 'an occurrence that nobody handled', [ready(5_000), storedTick('t-1', 1_000)]],
  ['recurring-chains', 'a chain that broke', [chains(1)]],
  ['recurring-chains', 'a chain too many', [chains(3)]],
  ['live-missed', 'a gap', [...live('0-1'), ...live('0-2'), ...handled('0-2', 1, screen)]],
  ['live-stale', 'a message of an earlier life', live('0-1'), handled('0-1', 1, visitor)],
  ['group-left-over', 'a temporary group that stayed', [{ t: 'left-over', channel: screen.channel, group: 'visitor' }]],
  ['handled-while-paused', 'a beginning in a pause', [...published('0-1'), paused(), ...handled('0-1'), resuming()]],
  ['lag-absurd', 'a negative count', [{ t: 'lag-read', ...work, ready: -1, waiting: 0, inFlight: 0 }]],
  ['lag-absurd', 'more in flight than is ready', [{ t: 'lag-read', ...work, ready: 1, waiting: 0, inFlight: 2 }]],
  ['not-replayed', 'what was retained and did not come', [...replayedOnce('0-1'), seeking(0), sought('0-1')]],
  [
    'duplicate-within-life',
    'a repetition before a seek',
    [...replayedOnce('0-1'), ...replayed('0-1', 2), seeking(0), sought()],
  ],
  ['snapshot-incomplete', 'what was confirmed before', [...kept('0-1'), snapshotting, restored()]],
  ['snapshot-invented', 'what nobody published', [snapshotting, restored('0-9')]],
]

function letterOf(channel: string) {
  return { channel, key: undefined, headers: { type: channel, tag: 'tag' } }
}

function publishedRejected(id: string): Entry[] {
  return [intent(id, { plan: rejected }), confirmed(id), start(id), end(id, 'rejection')]
}

function discarded(id: string): Entry[] {
  return [...publishedRejected(id), burying('discarding', id), burying('discarded', id)]
}

function replayedOnce(id: string): Entry[] {
  return [...publishedTo(replay.channel, id), ...replayed(id)]
}

function paused(): Entry {
  return { t: 'paused', ...work }
}

function resuming(): Entry {
  return { t: 'resuming', ...work }
}

function chains(waiting: number): Entry {
  return { t: 'chains', waiting, wanted: 2 }
}
