import { type Guarantee, nativeIf } from './guarantee.ts'

/** Same key, same order. */
export const orderGuarantees: readonly Guarantee[] = [
  {
    id: 'G16',
    title: 'Same key, same order',
    area: 'Order',
    promise:
      'Messages of one key are handled in the order in which they were stored, in every group, one at a time, also where members compete, leave or vanish and over restarts. While one is with a member no other member has one of that key. Not promised: an order between keys, and one for messages without a key.',
    support: nativeIf((can) => can.keyOrder !== 'none'),
    cases: ['order/*', 'bus-restart/in-mid-load'],
    refusals: ['refused/key-order'],
  },
  {
    id: 'G17',
    title: 'The order of a key outlives failures',
    area: 'Order',
    promise:
      'While a message waits for its retry its successors of the same key wait behind it, new ones too, for every member, over restarts and crashes, until it is done or a dead letter; then they go on in order. The pairs that were compared are counted. Other groups are not held.',
    support: nativeIf((can) => can.keyOrder !== 'none' && can.holdKey === 'native' && can.delay === 'native'),
    cases: ['hold/*', 'bus-order/retries', 'bus-order/dead-letter-frees'],
    refusals: ['refused/hold-key'],
  },
  {
    id: 'G18',
    title: 'A waiting key holds no other',
    area: 'Order',
    promise:
      'A message that fails again and again, or is not settled at all, holds up its own key and nothing else: other keys, and messages without one, go on at full speed, and credit is not eaten up by what waits.',
    support: nativeIf((can) => can.keyOrder !== 'none' && can.holdKey === 'native' && can.delay === 'native'),
    cases: ['order/others-go-on', 'hold/many-keys', 'bus-order/parked'],
    refusals: ['refused/hold-key'],
  },
]
