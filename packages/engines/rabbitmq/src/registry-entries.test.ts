import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fence } from './control-messages.ts'
import type { Outbound } from './lane.ts'
import type { Received } from './record-codec.ts'
import { type Entry, entryMessage, keyOf, sortContents } from './registry-entries.ts'

/** Messages as they come, in this order; tags count from 1. */
function received(messages: readonly Outbound[]): readonly Received[] {
  return messages.map(({ envelope, body }, at) => ({ deliveryTag: at + 1, body, headers: envelope.headers }))
}

const text = (body: string): Outbound => ({ envelope: {}, body: Buffer.from(body) })
const nowMs = 1_000_000_000
const entries: fc.Arbitrary<Entry> = fc.record(
  { channel: fc.constantFrom('a', 'b', 'a.b'), group: fc.constantFrom('g', 'h') },
  { requiredKeys: ['channel'] },
)

describe('the contents of the registry', () => {
  it('are each entry once, by its first message, and the repetitions to take out', () => {
    fc.assert(
      fc.property(fc.array(entries), (all) => {
        const {
          entries: found,
          repeated,
          leftOver,
        } = sortContents(received(all.map((entry) => entryMessage('registry', entry))), nowMs)
        const keys = all.map(keyOf)
        expect([...found.keys()]).toEqual([...new Set(keys)])
        for (const [key, { entry, deliveryTag }] of found) {
          expect(entry).toEqual(all[deliveryTag - 1])
          expect(deliveryTag).toBe(keys.indexOf(key) + 1)
        }
        const tags = [...Array.from(found.values(), ({ deliveryTag }) => deliveryTag), ...repeated]
        expect(tags.sort((one, other) => one - other)).toEqual(all.map((_, at) => at + 1))
        expect(leftOver).toEqual([])
      }),
    )
  })

  it('are without fences: those of others who look stay, those that nobody waits for are taken out', () => {
    const of = (atMs: number) => fence('registry', `${atMs}-x`)
    const { entries: found, leftOver } = sortContents(
      received([of(nowMs), of(nowMs - 7_200_001), of(nowMs + 60_000)]),
      nowMs,
    )
    expect([...found]).toEqual([])
    expect(leftOver).toEqual([2])
  })

  it('are without what somebody else has written, which nobody takes out', () => {
    const foreign = ['', 'text', 'null', '5', '[]', '{}', '{"channel":5}', '{"channel":"a","group":5}'].map(text)
    const { entries: found, repeated, leftOver } = sortContents(received(foreign), nowMs)
    expect([[...found], repeated, leftOver]).toEqual([[], [], []])
  })
})

describe('the name of an entry', () => {
  it('differs for a channel, a group of it, and a group of another', () => {
    const names = [{ channel: 'a' }, { channel: 'a', group: 'b' }, { channel: 'a.b' }, { channel: 'b', group: 'a' }]
    expect(new Set(names.map(keyOf)).size).toBe(4)
  })
})
