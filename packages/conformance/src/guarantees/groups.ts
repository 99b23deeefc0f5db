import { always, elseEmulated, type Guarantee, nativeIf } from './guarantee.ts'

/** Who gets what. */
export const groupGuarantees: readonly Guarantee[] = [
  {
    id: 'G07',
    title: 'Every group sees every event',
    area: 'Groups',
    promise:
      'Each group of an event gets all of it at least once, whether or not it had members when it was published, and whatever other groups do with it: what one settles, fails or gives back is so for that group alone. Channels do not mix. A message that is published again under its id is another delivery, unless the contract asks for deduplication.',
    support: always,
    cases: [
      'groups/each-sees-all',
      'groups/settled-for-one',
      'groups/queue-before-group',
      'publish/isolation',
      'publish/repetition',
      'bus-groups/each',
    ],
    refusals: [],
  },
  {
    id: 'G08',
    title: 'The members of a group share its work',
    area: 'Groups',
    promise:
      'A command, and an event within one group, is handled by one member at a time, however many compete: five thousand messages and fifty consumers at once lose none. Without a fault none is handled twice; with one (a crash, a lost lease) at most what was in flight is, and the repetitions are counted and reported.',
    support: always,
    cases: ['groups/share', 'publish/volume', 'load/concurrent', 'bus-groups/command', 'bus-groups/competing'],
    refusals: [],
  },
  {
    id: 'G09',
    title: 'Members come and go without loss',
    area: 'Groups',
    promise:
      'A member that leaves in order hands back what it has not settled; others, or it itself when it comes again, go on from there. A backlog that is read by one short-lived member after another is read whole, and nothing of it twice.',
    support: always,
    cases: ['life/stop', 'life/resubscribe', 'life/come-and-go', 'load/resubscribe', 'bus-groups/resubscribe'],
    refusals: [],
  },
  {
    id: 'G10',
    title: 'A new group begins where it is told',
    area: 'Groups',
    promise:
      'A group of an event that does not exist yet begins with all that is still kept (`earliest`) or with what comes next (`next`). What is kept, by age or by size, survives restarts. Not promised: anything that retention has let go.',
    support: nativeIf((can) => can.history === 'native'),
    cases: ['groups/begin', 'groups/begin-over-restart'],
    refusals: ['refused/history'],
  },
  {
    id: 'G11',
    title: 'What is addressed to a group reaches that group alone',
    area: 'Groups',
    promise:
      'A record that names a group, as retries and redrives do, is delivered to that group, after what stood there before, and to no other, now or later.',
    support: nativeIf((can) => can.groupAddress === 'native'),
    cases: ['groups/addressed', 'groups/addressed-is-no-history'],
    refusals: ['refused/redrive'],
  },
  {
    id: 'G12',
    title: 'A pattern follows every event that matches',
    area: 'Groups',
    promise:
      'A group over a pattern (`shop.order.*`, `shop.**`) gets every event whose type matches, also of types that appear later, from their first message on, over restarts. Concurrency, retries and dead letters are those of each event. Not promised: an order between events of different types.',
    support: nativeIf((can) => can.patterns === 'native'),
    cases: ['pattern/*', 'bus-pattern/*'],
    refusals: ['refused/patterns'],
  },
  {
    id: 'G13',
    title: 'A temporary group goes with its last member',
    area: 'Groups',
    promise:
      'A temporary group, with all that waits in it, goes when its last member leaves, and with the process at the latest, also after a crash. Nothing is kept for it, and no later group of the name inherits anything. While it has members it is a group like any other.',
    support: nativeIf((can) => can.temporaryGroups === 'native'),
    cases: ['temporary/*', 'bus-temporary/*'],
    refusals: ['refused/temporary', 'undeclared/temporary'],
  },
  {
    id: 'G14',
    title: 'A broadcast reaches every instance',
    area: 'Groups',
    promise:
      'A subscription that asks for it has each instance of the application handle every event, while other groups go on sharing. Not promised: what is published while an instance is not there.',
    support: nativeIf((can) => can.temporaryGroups === 'native'),
    cases: ['bus-broadcast/*'],
    refusals: ['refused/broadcast'],
  },
  {
    id: 'G15',
    title: 'A filter hands out what a group wants',
    area: 'Groups',
    promise:
      'A group may want only some messages: by tag, by headers (all or any), by a CloudEvents SQL expression, or several of these together. What it does not want is settled for it without a handler, an attempt or a dead letter, neither waits for nor blocks its key, and is counted where the core does it. An expression that has no value for a message does not hold for it. Engines that filter do so before delivering; elsewhere the core does, before decoding. Not promised: anything about members of one group that ask for different filters.',
    support: elseEmulated((can) => can.filter === 'native'),
    cases: ['filter/*', 'undeclared/filter', 'bus-filter/*'],
    refusals: [],
  },
]
