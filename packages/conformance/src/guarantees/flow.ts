import { always, type Guarantee } from './guarantee.ts'

/** How much, how fast, how long. */
export const flowGuarantees: readonly Guarantee[] = [
  {
    id: 'G40',
    title: 'Prefetch bounds what is taken',
    area: 'Flow',
    promise:
      'A member is given no more than it has credit for, however credit comes and whatever is redelivered, and no more handlers run than the concurrency. Deliveries that stay unsettled neither starve nor overtake what is behind them, and a backlog much larger than the credit streams through.',
    support: always,
    cases: [
      'credit/none',
      'credit/bound',
      'credit/released',
      'credit/no-starvation',
      'credit/backlog',
      'credit/backlog-kept',
      'bus-flow/bounds',
    ],
    refusals: [],
  },
  {
    id: 'G41',
    title: 'A slow consumer holds up itself',
    area: 'Flow',
    promise:
      'A consumer that is slow, or stands, holds at most its prefetch, in memory and of the work; other members and other groups go on, and the rest stays with the engine. Where the engine shares a channel out in key ranges, each with one reader, the ranges of a slow reader wait for it: the other ranges go on, and its own do when it has left.',
    support: always,
    cases: ['credit/slow-member', 'load/slow-consumer', 'bus-flow/slow-consumer'],
    refusals: [],
  },
  {
    id: 'G42',
    title: 'Long handlers keep their message',
    area: 'Flow',
    promise:
      'A handler may take many times the lease (`leaseMs`): heartbeats keep its message, and nobody else gets it meanwhile, up to `unsettledMsMax` where the engine has such a limit, which is then refused at the start.',
    support: always,
    cases: ['lease/extended', 'bus-flow/long-handler', 'bus-lease/heartbeat'],
    refusals: [],
  },
  {
    id: 'G43',
    title: 'A paused group takes nothing',
    area: 'Flow',
    promise:
      'Pausing lets running handlers end, hands back what has not begun, and counts no attempt; other members of the group go on. While it is paused nothing is handed to it; resumed, it goes on where the group stands. Both may be asked for at any time, in the midst of a backlog too, and again.',
    support: always,
    cases: ['bus-pause/*'],
    refusals: [],
  },
  {
    id: 'G44',
    title: 'A lost delivery is dropped and counted',
    area: 'Flow',
    promise:
      'When a delivery is taken away (its lease ended, the connection was lost, its key range moved) the handler’s signal aborts with DELIVERY_LOST, whatever it does afterwards has no effect, what it published does not leave, and nothing throws. The loss is counted, and the message comes again, to this member or another: as another attempt; as the same one where its key range came back to the process that had it, which has not vanished.',
    support: always,
    cases: ['lease/ends', 'faults/lost-told', 'bus-lease/lost'],
    refusals: [],
  },
]
