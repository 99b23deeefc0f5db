import { always, type Guarantee, nativeIf } from './guarantee.ts'

/** Looking in, and setting right. */
export const administrationGuarantees: readonly Guarantee[] = [
  {
    id: 'G48',
    title: 'Looking in disturbs nobody',
    area: 'Administration',
    promise:
      'A channel can be read page by page, oldest first (over key ranges by time), while others consume it, without taking, reordering or delaying anything; by id, key, correlation and time too; a needle in a backlog is found, a limit out of range and an unknown channel are refused.',
    support: nativeIf((_, offer) => offer.browsing !== undefined),
    cases: ['browse/pages', 'browse/empty', 'match/*', 'bus-browse/*'],
    refusals: ['refused/browse'],
  },
  {
    id: 'G49',
    title: 'Lag is told per group',
    area: 'Administration',
    promise:
      'For each group by itself: how many messages are ready, how many of these are in flight, and how many wait for their time or behind one of their key that does. The figures are those of the moment and survive restarts.',
    support: nativeIf((_, offer) => offer.lag !== undefined),
    cases: ['lag/*', 'bus-lag/*'],
    refusals: ['refused/lag'],
  },
  {
    id: 'G50',
    title: 'A group can be replayed',
    area: 'Administration',
    promise:
      'A group of an event is moved to the oldest message that is kept, to a time, to a position or to what comes next. From there everything is delivered as if for the first time, each key in its order, with attempts from 1; what it had not settled before never comes. A position is exact in its key range; in the others its time holds. Other groups stay where they are. A group with members elsewhere, a queue and a position of another engine are refused.',
    support: nativeIf((can, offer) => can.history === 'native' && offer.seeking !== undefined),
    cases: ['seek/*', 'bus-seek/*'],
    refusals: ['refused/seek'],
  },
  {
    id: 'G51',
    title: 'What is not declared is refused',
    area: 'Administration',
    promise:
      'An engine refuses what it does not declare: more priorities or a longer window than its limits, temporary groups, filters; and it has the parts that its capabilities are about, and no others. The core refuses, before anything starts and with CAPABILITY_UNSUPPORTED, what it neither has natively nor can emulate durably. Nothing is ignored.',
    support: always,
    cases: ['undeclared/*'],
    refusals: [],
  },
]
