import { always, elseEmulated, type Guarantee, nativeIf } from './guarantee.ts'

/** From the hand-over to the settlement. */
export const handlingGuarantees: readonly Guarantee[] = [
  {
    id: 'G19',
    title: 'What is acknowledged is done',
    area: 'Handling',
    promise:
      'An acknowledged message is not delivered to that group again: to no member, after no restart. A delivery ends once: settling it a second time, after the member has left, or under a tag that was never given out is DELIVERY_LOST and changes nothing.',
    support: always,
    cases: [
      'settle/acknowledged',
      'settle/twice',
      'settle/unknown',
      'settle/after-stop',
      'settle/nothing',
      'faults/settle-answered',
    ],
    refusals: [],
  },
  {
    id: 'G20',
    title: 'What a handler publishes leaves if it succeeds',
    area: 'Handling',
    promise:
      'Messages published through a handler’s context leave with its acknowledgement, all of them or none; where one cannot be stored nothing is acknowledged. Where the engine settles atomically this is one step, also in a crash. Elsewhere they are confirmed first and then the message is acknowledged, so that a crash in between repeats them; their ids are derived from the message’s own, so that the repetition can be told.',
    support: elseEmulated((can) => can.atomicSettle === 'native'),
    cases: ['settle/publish', 'settle/publish-survives', 'settle/publish-fails', 'settle/atomic*', 'bus-effects/*'],
    refusals: [],
  },
  {
    id: 'G21',
    title: 'Attempts are counted, over crashes too',
    area: 'Handling',
    promise:
      'The attempt number goes up with every delivery that counted: one that failed, and one that ended with its process. A hand-back (shutdown, pause, an orderly restart) counts nothing, and the attempts of one message say nothing about another. So a message that kills its process ends in the dead letters after a bounded number of crashes, and its neighbours are handled. Where an engine cannot tell what a process had in hand, what was stored before its key ranges were read again may count one attempt too many.',
    support: nativeIf((can) => can.attempts === 'exact'),
    cases: ['attempts/*', 'bus-attempts/crash', 'bus-restart/crash-in-mid-load'],
    refusals: ['refused/attempts'],
  },
  {
    id: 'G22',
    title: 'Prepared messages wait for the decision',
    area: 'Handling',
    promise:
      'A prepared message is durable and seen by nobody until it is committed; rolled back it never is. The first decision counts, over restarts and crashes, and a commit happens with all of its effects or not at all. Where nobody decides, the application is asked back from the time that was agreed, also about what an earlier process has left, with growing waits and a bounded number of times; then the message waits for people. Not promised: that a decision can be taken twice.',
    support: nativeIf((_, offer) => offer.preparing !== undefined),
    cases: ['prepare/*', 'bus-prepared/*'],
    refusals: ['refused/prepare'],
  },
  {
    id: 'G23',
    title: 'A subscription has its delivery level',
    area: 'Handling',
    promise:
      'At least once is the default: a message is acknowledged after its handler. At most once: acknowledged, durably, before the handler is entered, so that what fails or is cut off by a crash is not handled again, and is counted. Exactly once: what a handler publishes takes effect once over failures and crashes where the engine settles atomically; with an inbox, what was handled within its window is recognised, acknowledged and counted on any engine. Where neither holds, exactly once is refused. Not promised: that a handler runs once, or that effects outside of the bus and the inbox’s transaction happen once.',
    support: elseEmulated((can) => can.atomicSettle === 'native'),
    cases: ['bus-level/*'],
    refusals: [],
  },
]
