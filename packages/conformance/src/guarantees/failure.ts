import { always, type Guarantee, nativeIf } from './guarantee.ts'

/** What follows a failure. */
export const failureGuarantees: readonly Guarantee[] = [
  {
    id: 'G24',
    title: 'A failing message climbs the retry ladder',
    area: 'Failure',
    promise:
      'A failure is followed by immediate attempts in process, then by delayed ones with growing, jittered waits, then by the dead letters, with an attempt number that goes up by one each time. No wait is shorter than promised, and waits survive restarts. What waits holds up nobody else. A handler’s own verdict (later, refused, ignored) takes precedence.',
    support: nativeIf((can) => can.delay === 'native'),
    cases: ['delay/release', 'delay/release-restart', 'bus-ladder/*'],
    refusals: ['refused/ladder'],
  },
  {
    id: 'G25',
    title: 'A dead letter is the message, byte for byte',
    area: 'Failure',
    promise:
      'What cannot be handled is kept in the group’s dead letters with its original body, key and headers and, beside these, the reason and the number of deliveries, also where the body cannot be decoded at all. Dead letters survive restarts, in the order in which they died (that of each key, where the engine shares them out in key ranges), each once. Where a message’s own headers leave no room for the reason, extension headers give way before the message is lost.',
    support: nativeIf((_, offer) => offer.browsing !== undefined),
    cases: ['browse/dead-letters', 'bus-dead/bytes', 'bus-dead/survives'],
    refusals: ['refused/browse'],
  },
  {
    id: 'G26',
    title: 'A dead letter that cannot be written is no loss',
    area: 'Failure',
    promise:
      'The dead letter stands before its message is acknowledged. While it cannot be written the message is held and tried again with backoff: never acknowledged, never spun. If the process ends meanwhile the message is there again.',
    support: nativeIf((_, offer) => offer.browsing !== undefined),
    cases: ['bus-dead/write-fails', 'bus-dead/write-fails-crash'],
    refusals: ['refused/browse'],
  },
  {
    id: 'G27',
    title: 'A redrive reaches the group that failed, once',
    area: 'Failure',
    promise:
      'A redriven dead letter goes back to the group that failed it, under its own id and with attempts from 1, and to no other group. Each is moved once, also by several operators at a time; where it cannot be published it stays. A message that fails again is a dead letter again.',
    support: nativeIf((can, offer) => can.groupAddress === 'native' && offer.browsing !== undefined),
    cases: ['move/*', 'bus-redrive/*'],
    refusals: ['refused/redrive'],
  },
  {
    id: 'G28',
    title: 'An open breaker pauses, it does not storm',
    area: 'Failure',
    promise:
      'While a handler’s breaker is open its consumer takes nothing more: what waits stays with the engine, and is neither handed out in vain nor counted as an attempt. When the breaker lets calls through again everything is handled.',
    support: nativeIf((can) => can.delay === 'native'),
    cases: ['bus-flow/breaker'],
    refusals: ['refused/breaker'],
  },
  {
    id: 'G29',
    title: 'Whatever happens in whatever order',
    area: 'Failure',
    promise:
      'Random programs of publishing, consuming, retrying, cancelling, restarting and crashing run on the engine and on a naive model side by side: the engine never does what the model forbids, and pays what it owes. A failure names the seed and the smallest program. And what an engine can do goes together: filters with priorities, seeking with deduplication, temporary groups with held keys.',
    support: always,
    cases: ['interplay/*', 'random/*'],
    refusals: [],
  },
  {
    id: 'G30',
    title: 'Rules decide per error',
    area: 'Failure',
    promise:
      'A subscription may say what follows which error: another ladder, the dead letters at once, another queue of dead letters of the same group, or nothing. The first rule that matches holds; without one the error’s verdict does.',
    support: nativeIf((can, offer) => can.delay === 'native' && offer.browsing !== undefined),
    cases: ['bus-rules/*'],
    refusals: ['refused/ladder', 'refused/browse'],
  },
]
