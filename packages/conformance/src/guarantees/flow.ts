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
    id: 'G42',
    title: 'A slow consumer holds up itself',
    area: 'Flow',
    promise:
      'A consumer that is slow, or stands, holds at most its prefetch, in memory and of the work; other members and other groups go on, and the rest stays with the engine.',
    support: always,
    cases: ['credit/slow-member', 'bus-flow/slow-consumer'],
    refusals: [],
  },
  {
    id: 'G43',
    title: 'Long handlers keep their message',
    area: 'Flow',
    promise:
      'A handler may take many times the lease (`leaseMs`): heartbeats keep its message, and nobody else gets it meanwhile, up to `unsettledMsMax` where the engine has such a limit, which is then refused at the start.',
    support: always,
    cases: ['bus-flow/long-handler'],
    refusals: [],
  },
]
