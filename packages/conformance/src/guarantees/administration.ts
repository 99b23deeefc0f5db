import { type Guarantee, nativeIf } from './guarantee.ts'

/** Looking in, and setting right. */
export const administrationGuarantees: readonly Guarantee[] = [
  {
    id: 'G60',
    title: 'Looking in disturbs nobody',
    area: 'Administration',
    promise:
      'A channel can be read page by page, oldest first, while others consume it, without taking, reordering or delaying anything; a limit out of range and an unknown channel are refused.',
    support: nativeIf((_, offer) => offer.browsing !== undefined),
    cases: ['browse/pages', 'browse/empty'],
    refusals: ['refused/browse'],
  },
  {
    id: 'G61',
    title: 'Lag is told per group',
    area: 'Administration',
    promise:
      'For each group by itself: how many messages are ready, how many of these are in flight, and how many wait for their time or behind one of their key that does. The figures are those of the moment and survive restarts.',
    support: nativeIf((_, offer) => offer.lag !== undefined),
    cases: ['lag/*'],
    refusals: [],
  },
]
