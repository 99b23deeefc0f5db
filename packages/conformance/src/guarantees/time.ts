import { type Guarantee, nativeIf } from './guarantee.ts'

/** Later, or never. */
export const timeGuarantees: readonly Guarantee[] = [
  {
    id: 'G31',
    title: 'A delay is durable, and never short',
    area: 'Time',
    promise:
      'A message that is scheduled for a time is not handled before it, and as soon afterwards as the engine declares (`delayPrecisionMs`, on an idle machine). It survives restarts, those that fall due meanwhile included, holds up nothing, and takes its place in its channel and key when it is due. Not promised: a bound on lateness under load.',
    support: nativeIf((can) => can.delay === 'native'),
    cases: ['delay/*', 'bus-delay/*'],
    refusals: ['refused/delay'],
  },
  {
    id: 'G32',
    title: 'What is scheduled can be taken back',
    area: 'Time',
    promise:
      'Cancelling by id, before it is due, is durable: the message is never handled, not even after a restart. The answer says whether it was in time: what was handed over, was cancelled before or never existed is not. The same id in another channel is another message.',
    support: nativeIf((can, offer) => can.delay === 'native' && offer.scheduling !== undefined),
    cases: ['cancel/*', 'bus-cancel/*'],
    refusals: ['refused/cancel'],
  },
  {
    id: 'G33',
    title: 'What has expired is not handled',
    area: 'Time',
    promise:
      'A message that has outlived its time to live when its turn comes is not given to a handler. It goes to the dead letters with MESSAGE_EXPIRED, unless the subscription asks for it to be dropped; it is counted either way, and never dropped in silence. A handler that runs is not interrupted by it.',
    support: nativeIf((_, offer) => offer.browsing !== undefined),
    cases: ['bus-expiry/*'],
    refusals: ['refused/browse'],
  },
  {
    id: 'G34',
    title: 'Higher priorities go first',
    area: 'Time',
    promise:
      'Of what is ready in a channel with priorities the highest level is handed over first, and each level in its own order; an urgent message overtakes a backlog, but nothing that a consumer has taken already. More levels than the engine has, and priorities together with keys, are refused.',
    support: nativeIf((can) => can.priorityLevels > 1),
    cases: ['priority/*', 'bus-priority/*'],
    refusals: ['refused/priorities', 'undeclared/limits'],
  },
  {
    id: 'G35',
    title: 'Repetitions are recognised within the window',
    area: 'Time',
    promise:
      'In a channel that asks for it, a message that is published again under its id within the window (`deduplicateForMs`) is confirmed and not stored again: over restarts and crashes, within one batch, for messages that leave with an acknowledgement, and for scheduled ones from when they are published. A redrive is no repetition, and the same id in another channel is another message. Not promised: anything after the window, or without asking.',
    support: nativeIf((can) => can.deduplicateForMsMax > 0),
    cases: ['dedupe/*', 'bus-dedupe/*'],
    refusals: ['refused/deduplication', 'undeclared/limits'],
  },
  {
    id: 'G36',
    title: 'What recurs comes once for each time',
    area: 'Time',
    promise:
      'A message that is published by a cron expression comes once for each of its times, in its time zone, however many instances of the application say so, and goes on over restarts; a time at which nothing ran is made up for once, or left out, as asked. Ids are derived from name and time, so that a repetition after a crash is recognised. Not promised: anything for times longer ago than one period.',
    support: nativeIf(
      (can, offer) =>
        can.delay === 'native' && can.keyOrder !== 'none' && can.holdKey === 'native' && offer.scheduling !== undefined,
    ),
    cases: ['bus-recur/*'],
    refusals: ['refused/recurring'],
  },
]
