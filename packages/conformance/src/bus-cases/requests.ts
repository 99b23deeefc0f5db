import assert from 'node:assert/strict'
import { command, reject } from '@posthaste/contracts'
import { anything, type Note, newBus, startedBus } from '../bus/bus.ts'
import type { ConformanceCase } from '../case.ts'
import type { CaseContext } from '../context.ts'
import { expectRejection } from '../expect.ts'

const question = (context: CaseContext) =>
  command(context.unique('question'), { data: anything<Note>(), reply: anything<{ readonly answer: number }>() })

/** Commands that are answered. */
export const busRequests: readonly ConformanceCase[] = [
  {
    id: 'bus-request/answered',
    title: 'each of many requests at a time gets its own reply, from whichever process handles it',
    needs: ['temporaryGroups', 'groupAddress'],
    async run(context) {
      const Asked = question(context)
      const handlers = new Set<string>()
      for (const by of ['one', 'two', 'three']) {
        await startedBus(context, (each) =>
          each.handle(Asked, { retry: false, prefetch: 5 }, async ({ n }) => {
            handlers.add(by)
            await Promise.resolve()
            return { answer: 2 * n }
          }),
        )
      }
      const asker = await startedBus(context)
      const count = 300
      const replies = Promise.all(Array.from({ length: count }, (_, n) => asker.request(Asked, { n })))
      assert.deepEqual(
        (await context.within(replies, 'the replies')).map(({ answer }) => answer),
        Array.from({ length: count }, (_, n) => 2 * n),
      )
      const { sent, answered, late, pending } = asker.requestStats()
      assert.deepEqual({ sent, answered, late, pending }, { sent: count, answered: count, late: 0, pending: 0 })
      assert.ok(handlers.size > 1, 'several handle them')
      context.count('requests', count)
    },
  },
  {
    id: 'bus-request/fails',
    title: 'a request whose handler fails for good is answered with that error, by its code',
    needs: ['temporaryGroups', 'groupAddress'],
    async run(context) {
      const Asked = question(context)
      const bus = await startedBus(context, (each) =>
        each.handle(Asked, { retry: false }, ({ n }) => {
          if (n === 0) return reject('not for us')
          throw new Error('a secret of the handler')
        }),
      )
      await context.through(
        expectRejection(() => bus.request(Asked, { n: 0 }), 'HANDLER_REJECTED'),
        'the refusal',
      )
      const thrown = await context.through(
        bus.request(Asked, { n: 1 }).catch((error: unknown) => error),
        'the failure',
      )
      assert.ok(thrown instanceof Error)
      assert.doesNotMatch(thrown.message, /secret/, 'what an error says of the inside stays inside')
      assert.equal(bus.requestStats().failed, 2)
    },
  },
  {
    id: 'bus-request/timeout',
    title: 'a request that is not answered in time fails with DEADLINE_EXCEEDED, and its late reply is counted',
    needs: ['temporaryGroups', 'groupAddress'],
    async run(context) {
      const Asked = question(context)
      const gate = Promise.withResolvers<void>()
      let begun = 0
      await startedBus(context, (each) =>
        each.handle(Asked, { retry: false }, async ({ n }) => {
          begun += 1
          await gate.promise
          return { answer: n }
        }),
      )
      const asker = await startedBus(context)
      const timeoutMs = context.underTest.advance === undefined ? 3_000 : 20_000
      const asked = context.begun(
        expectRejection(() => asker.request(Asked, { n: 1 }, { timeoutMs }), 'DEADLINE_EXCEEDED'),
      )
      await context.until(
        () => begun === 1,
        () => 'the handler to begin',
      )
      await context.reach(context.nowMs() + timeoutMs)
      await context.through(asked, 'the timeout')
      const { timedOut, pending } = asker.requestStats()
      assert.deepEqual([timedOut, pending], [1, 0])
      gate.resolve()
      // Whether a handler that was told to stop still answers is its own affair: an answer is late, and changes nothing.
      await context.lull()
      assert.equal(asker.requestStats().answered, 0)
      context.count('late replies', asker.requestStats().late)
    },
  },
  {
    id: 'bus-request/late',
    title: 'a reply that nobody awaits any more is counted, and harms no other request',
    needs: ['temporaryGroups', 'groupAddress'],
    async run(context) {
      const Asked = question(context)
      const gate = Promise.withResolvers<void>()
      await startedBus(context, (each) =>
        each.handle(Asked, { retry: false }, async ({ n }) => {
          if (n === 0) await gate.promise
          return { answer: n }
        }),
      )
      const asker = await startedBus(context)
      const leaving = new AbortController()
      const left = context.begun(
        expectRejection(() => asker.request(Asked, { n: 0 }, { signal: leaving.signal }), 'CANCELLED'),
      )
      assert.deepEqual(await context.within(asker.request(Asked, { n: 1 }), 'a reply'), { answer: 1 })
      leaving.abort()
      await context.within(left, 'the end of who left')
      gate.resolve()
      await context.until(
        () => asker.requestStats().late === 1,
        () => 'the late reply to be counted',
      )
      assert.deepEqual(await context.within(asker.request(Asked, { n: 2 }), 'a reply'), { answer: 2 })
      context.count('late replies', asker.requestStats().late)
    },
  },
  {
    id: 'bus-request/closed',
    title: 'a close ends the requests that await their reply, and nothing hangs',
    needs: ['temporaryGroups', 'groupAddress'],
    async run(context) {
      const Asked = question(context)
      const bus = newBus(context)
      await context.through(bus.start(), 'the start')
      const asked = bus.request(Asked, { n: 1 }).then(
        () => 'answered',
        (error: { readonly code?: string }) => error.code,
      )
      await context.lull()
      await context.through(bus.close(), 'the close')
      const code = await context.within(asked, 'the request')
      assert.match(String(code), /^(ENGINE_CLOSED|CANCELLED)$/)
    },
  },
]
