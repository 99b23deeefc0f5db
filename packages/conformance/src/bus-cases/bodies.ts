import assert from 'node:assert/strict'
import { type BlobStore, type Codec, PosthasteError } from '@posthaste/contracts'
import { anything, type Note, plainEvent, startedBus } from '../bus/bus.ts'
import type { ConformanceCase } from '../case.ts'

const settings = { group: 'g', retry: false } as const

/** A store of big bodies that can lose or confuse them. */
class TestStore implements BlobStore {
  readonly name = 'test'
  readonly bytes = new Map<string, Uint8Array>()

  async put(id: string, bytes: Uint8Array): Promise<string> {
    this.bytes.set(`test:${id}`, bytes.slice())
    return `test:${id}`
  }

  async get(ref: string): Promise<Uint8Array> {
    const bytes = this.bytes.get(ref)
    if (bytes === undefined) throw new PosthasteError('NOT_FOUND', `${ref} is not there`)
    return bytes
  }
}

/** A codec that is not JSON: every byte of the text turned around. */
const reversed: Codec = {
  contentType: 'application/x-reversed',
  encode: (value) => new TextEncoder().encode(JSON.stringify(value)).reverse(),
  decode: (body) => JSON.parse(new TextDecoder().decode(body.slice().reverse())),
}

/** What bodies are made of, and where they stand. */
export const busBodies: readonly ConformanceCase[] = [
  {
    id: 'bus-body/claim-check',
    title: 'a body that is too big for the engine waits in the store, and a wrong or missing one is never handled',
    needs: ['browsing'],
    async run(context) {
      const Noted = plainEvent(context)
      const store = new TestStore()
      const seen: string[] = []
      let isHeld = true
      const gate = Promise.withResolvers<void>()
      const claimCheck = { store, overBytes: 2_048 }
      const sender = await startedBus(context, () => {}, { claimCheck })
      const declared = await startedBus(context, (each) => each.on(Noted, settings, () => {}), { claimCheck })
      await context.through(declared.close(), 'the close')
      const text = 'x'.repeat(context.capabilities.bodyBytesMax + 1)
      await sender.publish(Noted, { n: 0, text }, { id: 'whole' })
      const refs: string[] = []
      for (const id of ['missing', 'wrong']) {
        await sender.publish(Noted, { n: 1, text: 'y'.repeat(4_096) }, { id })
        refs.push([...store.bytes.keys()].at(-1) ?? '')
      }
      const [missing = '', wrong = ''] = refs
      store.bytes.delete(missing)
      store.bytes.set(wrong, new TextEncoder().encode('{"n":1}'))
      const bus = await startedBus(
        context,
        (each) =>
          each.on(Noted, settings, (note, handling) => {
            seen.push(handling.id)
            if (isHeld) gate.resolve()
            assert.equal(note.text?.length, text.length)
          }),
        { claimCheck },
      )
      await context.through(gate.promise, 'the whole one')
      isHeld = false
      await context.eventually(
        () => bus.stats()[0]?.deadLettered === 2,
        () => 'the two others to be dead letters',
      )
      assert.deepEqual(seen, ['whole'])
    },
  },
  {
    id: 'bus-body/codecs',
    title: 'a body travels in its contract’s format, and is read by its content type where a bus knows it',
    needs: ['browsing'],
    async run(context) {
      const Noted = plainEvent(context, { codec: reversed })
      const Plain = plainEvent(context, { type: Noted.type })
      const seen: Note[] = []
      const handler = (note: Note) => void seen.push(note)
      const knowing = await startedBus(context, (each) => each.on(Plain, settings, handler), { codecs: [reversed] })
      const ignorant = await startedBus(context, (each) => each.on(Plain, { ...settings, group: 'ignorant' }, handler))
      const sender = await startedBus(context)
      await sender.publish(Noted, { n: 7, text: 'Grüße' })
      await context.eventually(
        () => knowing.stats()[0]?.acked === 1 && ignorant.stats()[0]?.deadLettered === 1,
        () => 'it to be read here, and to be a dead letter there',
      )
      assert.deepEqual(seen, [{ n: 7, text: 'Grüße' }])
      const { letters } = await ignorant.deadLetters(Plain, { group: 'ignorant' }).browse()
      assert.equal(letters[0]?.code, 'BODY_MALFORMED')
    },
  },
  {
    id: 'bus-body/versions',
    title: 'an older message is lifted step by step to the version of its reader, a newer one is taken if it fits',
    async run(context) {
      const type = context.unique('versioned')
      const data = anything<Note>()
      const older = plainEvent(context, { type, data })
      const lifts = {
        1: (old: unknown) => ({ ...(old as Note), text: 'from 1' }),
        2: (old: unknown) => ({ ...(old as Note), text: `${(old as Note).text}, from 2` }),
      }
      const newest = plainEvent(context, { type, data, version: 3, upcasters: lifts })
      const seen: Record<string, Note[]> = { old: [], fresh: [] }
      await startedBus(context, (each) =>
        each.on(older, { ...settings, group: 'old' }, (note) => void seen.old?.push(note)),
      )
      await startedBus(context, (each) =>
        each.on(newest, { ...settings, group: 'fresh' }, (note) => void seen.fresh?.push(note)),
      )
      const oldSender = await startedBus(context)
      const newSender = await startedBus(context)
      await oldSender.publish(older, { n: 1 })
      await newSender.publish(newest, { n: 3, text: 'as it is' })
      await context.eventually(
        () => seen.old?.length === 2 && seen.fresh?.length === 2,
        () => 'both messages for both readers',
      )
      const byNumber = (all: readonly Note[] | undefined) => [...(all ?? [])].sort((a, b) => a.n - b.n)
      assert.deepEqual(byNumber(seen.fresh), [
        { n: 1, text: 'from 1, from 2' },
        { n: 3, text: 'as it is' },
      ])
      assert.deepEqual(byNumber(seen.old), [{ n: 1 }, { n: 3, text: 'as it is' }])
    },
  },
]
