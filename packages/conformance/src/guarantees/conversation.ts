import { always, type Guarantee, nativeIf } from './guarantee.ts'

/** Questions, batches, and what bodies are made of. */
export const conversationGuarantees: readonly Guarantee[] = [
  {
    id: 'G37',
    title: 'A request is answered, or fails in time',
    area: 'Conversation',
    promise:
      'A request gets the reply of whichever process handles the command, sent in the same step as its acknowledgement; a handler that fails for good answers with its error, by its code and without what is nobody’s business. When the deadline passes or the caller leaves, the request fails at once; a reply that comes later is counted and harms nobody. A close ends what still waits. Not promised: that a request that timed out was not handled.',
    support: nativeIf((can) => can.temporaryGroups === 'native' && can.groupAddress === 'native'),
    cases: ['bus-request/*'],
    refusals: ['refused/request'],
  },
  {
    id: 'G38',
    title: 'A batch has an outcome per message',
    area: 'Conversation',
    promise:
      'A batch handler may fail some messages and handle the others: only those that failed are tried again or become dead letters. A batch is never larger than asked for, has one message of a key at most, so that the order of keys outlives failures, and invalid messages never reach it.',
    support: nativeIf((can) => can.delay === 'native'),
    cases: ['bus-batch/*'],
    refusals: ['refused/ladder'],
  },
  {
    id: 'G39',
    title: 'Bodies of other formats, versions and sizes are read, or kept',
    area: 'Conversation',
    promise:
      'A body travels in the format of its contract and is read by its content type. Older versions are lifted step by step to the reader’s; newer ones are taken where they fit. A body too big for the engine waits in a store and is verified by its digest before it is handled. What cannot be read (an unknown format, a missing or a wrong body) is a dead letter with its reason, not a loss.',
    support: always,
    cases: ['bus-body/*'],
    refusals: [],
  },
  {
    id: 'G52',
    title: 'Deadlines are absolute, and travel',
    area: 'Conversation',
    promise:
      'An attempt that takes longer than its subscription allows is told to stop through its signal, with DEADLINE_EXCEEDED, counts as an attempt and is tried again. A request’s deadline travels with it as a time, not as a duration: its handler knows it and is told when it passes, wherever it runs, and what nobody awaits any more is not begun. Not promised: that a handler which does not look at its signal stops.',
    support: nativeIf(
      (can) => can.delay === 'native' && can.temporaryGroups === 'native' && can.groupAddress === 'native',
    ),
    cases: ['bus-deadline/*'],
    refusals: ['refused/ladder', 'refused/request'],
  },
]
