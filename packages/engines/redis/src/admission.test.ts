import type { OutgoingRecord } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { refusal } from './admission.ts'
import { capabilitiesWith, headersMax } from './features.ts'

const { bodyBytesMax, headerBytesMax } = capabilitiesWith('disk')

const record = (wish: Partial<OutgoingRecord> = {}): OutgoingRecord => ({
  ...{ id: '1', channel: 'c', headers: {}, body: new Uint8Array(0) },
  ...wish,
})

describe('a record', () => {
  it('may fill its limits', () => {
    const full = {
      body: new Uint8Array(bodyBytesMax),
      headers: { a: 'ä'.repeat((headerBytesMax - 2) / 2) },
      ...{ key: 'ä'.repeat(512), priority: 9 },
    }
    expect(refusal(record(full))).toBeUndefined()
  })

  it.each([
    ['body', 'BODY_TOO_LARGE', { body: new Uint8Array(bodyBytesMax + 1) }],
    ['key', 'INVALID_ARGUMENT', { key: 'ä'.repeat(513) }],
    ['headers', 'INVALID_ARGUMENT', { headers: { a: 'ä'.repeat(headerBytesMax / 2) } }],
    [
      'number of headers',
      'INVALID_ARGUMENT',
      { headers: Object.fromEntries(Array.from({ length: headersMax + 1 }, (_, at) => [`${at}`, ''])) },
    ],
    ['priority', 'INVALID_ARGUMENT', { priority: 1.5 }],
  ])('is refused when its %s is too much', (_, code, wish) => {
    for (let times = 0; times < 2; times += 1) expect(refusal(record(wish))).toMatchObject({ code })
  })
})
