import assert from 'node:assert/strict'
import { anything, type Note, newBus, notes, plainEvent, publishNotes, startedBus } from '../bus/bus.ts'
import { expectComplete, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'
import { expectRejection } from '../expect.ts'

const settings = { group: 'g', retry: false } as const

/** What becomes of messages between `publish` and the first handler. */
export const busPublishing: readonly ConformanceCase[] = [
  {
    id: 'bus-publish/volume',
    title: 'each of some thousand confirmed messages is handled, and counted when handled twice',
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const bus = await startedBus(context, (each) => each.on(Noted, settings, journal.handler()))
      const count = context.scaled(2_500)
      const all = notes(count)
      for (let at = 0; at < count; at += 500) await publishNotes(bus, Noted, all.slice(at, at + 500))
      await journal.complete(count)
      await context.lull()
      expectComplete(context, journal.runs, { count })
    },
  },
  {
    id: 'bus-publish/outcomes',
    title: 'each of many messages has its own result: one that is too large fails alone',
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const bus = await startedBus(context, (each) => each.on(Noted, settings, journal.handler()))
      const { bodyBytesMax } = context.capabilities
      const huge = 'x'.repeat(bodyBytesMax)
      const results = await bus.publishAll(Noted, [{ n: 0 }, { n: 1, text: huge }, { n: 1 }, { n: 2, text: huge }])
      assert.deepEqual(
        results.map((result) => (result.ok ? 'ok' : result.error.code)),
        ['ok', 'BODY_TOO_LARGE', 'ok', 'BODY_TOO_LARGE'],
      )
      await journal.complete(2)
      expectComplete(context, journal.runs, { count: 2 })
    },
  },
  {
    id: 'bus-publish/attributes',
    title: 'a handler sees the message as it was sent: id, data, headers, correlation and cause',
    async run(context) {
      const [First, Second] = [plainEvent(context), plainEvent(context)]
      const seen: Record<string, unknown>[] = []
      const bus = await startedBus(context, (each) => {
        each.on(First, settings, async (note, handling) => {
          seen.push({ ...note, id: handling.id, correlation: handling.correlationId, tenant: handling.headers.tenant })
          await handling.publish(Second, { n: 2 })
        })
        each.on(Second, settings, (note, handling) => {
          seen.push({ ...note, cause: handling.causationId, correlation: handling.correlationId })
        })
      })
      const text = 'Grüße, 世界 🚀 \u{1F9D1}\u{200D}\u{1F680} "quoted"'
      const headers = { tenant: 'Zürich' }
      await bus.publish(First, { n: 1, text }, { id: 'the-first', correlationId: 'process-1', headers })
      await context.eventually(
        () => seen.length >= 2,
        () => `two messages, saw ${seen.length}`,
      )
      assert.deepEqual(seen, [
        { n: 1, text, id: 'the-first', correlation: 'process-1', tenant: 'Zürich' },
        { n: 2, cause: 'the-first', correlation: 'process-1' },
      ])
    },
  },
  {
    id: 'bus-publish/standing',
    title: 'a bus that is not started, or is closed, refuses to publish and says so',
    async run(context) {
      const Noted = plainEvent(context)
      const bus = newBus(context)
      await expectRejection(() => bus.publish(Noted, { n: 1 }), 'FAILED_PRECONDITION')
      await context.through(bus.start(), 'the start')
      await bus.publish(Noted, { n: 1 })
      await context.through(bus.close(), 'the close')
      await expectRejection(() => bus.publish(Noted, { n: 1 }), 'ENGINE_CLOSED')
    },
  },
  {
    id: 'bus-publish/checked',
    title: 'data that does not fit its contract is refused before it leaves, with PAYLOAD_INVALID',
    async run(context) {
      const strict = {
        '~standard': {
          ...anything<Note>()['~standard'],
          validate: (value: unknown) =>
            Number.isInteger((value as Note).n) ? { value: value as Note } : { issues: [{ message: 'needs n' }] },
        },
      }
      const Noted = plainEvent(context, { data: strict })
      const journal = new Journal(context)
      const bus = await startedBus(context, (each) => each.on(Noted, settings, journal.handler()))
      await expectRejection(() => bus.publish(Noted, { n: 0.5 }), 'PAYLOAD_INVALID')
      await bus.publish(Noted, { n: 0 })
      await journal.complete(1)
      await context.lull()
      expectComplete(context, journal.runs, { count: 1 })
    },
  },
]
