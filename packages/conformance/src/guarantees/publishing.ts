import { always, type Guarantee, nativeIf } from './guarantee.ts'

/** From the publisher to the engine. */
export const publishingGuarantees: readonly Guarantee[] = [
  {
    id: 'G01',
    title: 'A confirmed publish is kept',
    area: 'Publishing',
    promise:
      'Once publish has resolved, the message is as durable as the engine declares (`durability`): it survives `kill -9` of the process, a crash and a restart of the engine and the loss of the connection, and is handled. Under load, too: of what was being published when the engine died, everything that was confirmed is there afterwards. What was not confirmed may or may not stand. Not promised: that a disk which lies about its flushes keeps anything, or that an engine of durability `none` outlives its store.',
    support: always,
    cases: [
      'publish/delivered',
      'publish/survives-*',
      'publish/crash-under-load',
      'faults/cut-under-load',
      'faults/restart-after',
      'publish/close-under-load',
      'bus-publish/volume',
      'bus-close/under-load',
    ],
    refusals: [],
  },
  {
    id: 'G02',
    title: 'Every record of a batch has its own outcome',
    area: 'Publishing',
    promise:
      'A publisher learns of each of its messages whether it stands. One that cannot be stored (unknown channel or group, too large, does not fit its schema) fails alone, with a code, and does no harm to its neighbours; nothing is dropped in silence and nothing waits for ever, with or without a connection. Not promised: that a failed record does not stand. It is not confirmed, and may be published again under its id.',
    support: always,
    cases: [
      'publish/outcome-per-record',
      'faults/publish-answered',
      'publish/nothing',
      'groups/unknown',
      'bus-publish/outcomes',
      'bus-publish/standing',
      'bus-publish/checked',
    ],
    refusals: [],
  },
  {
    id: 'G03',
    title: 'Bodies arrive byte for byte',
    area: 'Publishing',
    promise:
      'A body is bytes: of no length, of one byte, of a mebibyte and of exactly the limit (`bodyBytesMax`), with every value a byte can have, invalid UTF-8 included. One byte more than the limit is refused with BODY_TOO_LARGE when it is published, and never cut short.',
    support: always,
    cases: ['fidelity/body-sizes', 'fidelity/binary', 'fidelity/limits-together'],
    refusals: [],
  },
  {
    id: 'G04',
    title: 'Headers, ids, keys and names arrive as they were sent',
    area: 'Publishing',
    promise:
      'Header names keep their case and values their characters: any Unicode, quotes, line breaks, nothing at all, up to `headerBytesMax` and not beyond. Ids and keys are any text and are never mixed up with similar ones; names of channels and groups may use all they are allowed. Correlation and causation are carried from a message to those that its handler publishes.',
    support: always,
    cases: [
      'fidelity/headers',
      'fidelity/header-limit',
      'fidelity/keys',
      'fidelity/ids',
      'fidelity/names',
      'fidelity/header-case',
      'fidelity/unicode',
      'bus-publish/attributes',
    ],
    refusals: [],
  },
  {
    id: 'G05',
    title: 'Declaring does no harm',
    area: 'Publishing',
    promise:
      'Channels and groups are declared by every process that needs them, at the same time and again after each start: what exists stays as it is. What exists with other settings is named with both values and left alone; the core refuses to start on it with TOPOLOGY_DRIFT. Nothing is deleted or made again on its own.',
    support: always,
    cases: ['topology/*', 'groups/known-group-stays'],
    refusals: [],
  },
  {
    id: 'G06',
    title: 'Records keep the order of the calls',
    area: 'Publishing',
    promise:
      'What one publisher publishes with the same key is stored in the order of its calls, also while earlier calls are still under way. Not promised: an order between publishers, or between keys.',
    support: nativeIf((can) => can.keyOrder !== 'none'),
    cases: ['publish/order-of-calls'],
    refusals: ['refused/key-order'],
  },
]
