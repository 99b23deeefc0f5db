import { always, type Guarantee, nativeIf } from './guarantee.ts'

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
    cases: ['groups/share', 'publish/volume', 'bus-groups/command', 'bus-groups/competing'],
    refusals: [],
  },
  {
    id: 'G09',
    title: 'Members come and go without loss',
    area: 'Groups',
    promise:
      'A member that leaves in order hands back what it has not settled; others, or it itself when it comes again, go on from there. A backlog that is read by one short-lived member after another is read whole, and nothing of it twice.',
    support: always,
    cases: ['life/stop', 'life/resubscribe', 'life/come-and-go', 'bus-groups/resubscribe'],
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
]
