import assert from 'node:assert/strict'
import type { GroupSpec, Topology } from '@posthaste/contracts'
import { PosthasteError } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import type { CaseContext } from '../context.ts'

/** What an engine answers to what it does not offer: a mistake in the topology, or the capability by its name. */
async function expectRefusal(call: () => Promise<unknown>, what: string): Promise<void> {
  const thrown = await call().then(
    () => assert.fail(`${what} is refused, but it went well`),
    (reason: unknown) => reason,
  )
  assert.ok(PosthasteError.is(thrown), `${what} is refused with a PosthasteError, not with ${String(thrown)}`)
  assert.match(thrown.code, /^(CONFIG_INVALID|CAPABILITY_UNSUPPORTED)$/, thrown.message)
}

function declaring(context: CaseContext, wish: Partial<Topology['channels'][number]>, group: Partial<GroupSpec> = {}) {
  const name = context.unique('channel')
  return () =>
    context.engine.declare({
      channels: [{ name, kind: 'log', keyed: false, ...wish }],
      groups: [{ channel: name, group: 'g', from: 'next', ...group }],
    })
}

/** The other half of every capability: what is not declared is refused, never ignored. */
export const undeclared: readonly ConformanceCase[] = [
  {
    id: 'undeclared/limits',
    title: 'more levels and longer windows than an engine declares are refused',
    async run(context) {
      const { priorityLevels, deduplicateForMsMax } = context.capabilities
      const levels = priorityLevels + 1
      await expectRefusal(declaring(context, { priorities: levels }), `${levels} levels of priority`)
      const windows = [deduplicateForMsMax + 1, 0, -1, 0.5, Number.NaN]
      for (const deduplicateForMs of windows.filter((ms) => ms !== Number.POSITIVE_INFINITY)) {
        await expectRefusal(declaring(context, { deduplicateForMs }), `a window of ${deduplicateForMs} ms`)
      }
    },
  },
  {
    id: 'undeclared/temporary',
    title: 'temporary groups are there or refused',
    async run(context) {
      const call = declaring(context, {}, { lifetime: 'temporary' })
      if (context.capabilities.temporaryGroups === 'native') await call()
      else await expectRefusal(call, 'a temporary group')
    },
  },
  {
    id: 'undeclared/filter',
    title: 'filters are there or refused',
    async run(context) {
      const channel = await context.channel()
      const filter = { tags: ['a'], accepts: () => true }
      const call = () => channel.join('g', { filter })
      if (context.capabilities.filter === 'native') await call()
      else await expectRefusal(call, 'a filter')
    },
  },
  {
    id: 'undeclared/parts',
    title: 'the parts of an engine are there exactly where it declares what they are for',
    async run({ engine, capabilities }) {
      assert.equal(engine.patterns !== undefined, capabilities.patterns === 'native', 'patterns')
      if (capabilities.delay === 'none')
        assert.equal(engine.scheduling, undefined, 'nothing is scheduled without delay')
      if (capabilities.history === 'none') assert.equal(engine.seeking, undefined, 'nothing is kept to go back to')
    },
  },
]
