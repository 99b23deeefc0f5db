import assert from 'node:assert/strict'
import type { ChannelSpec } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import { expectSame } from '../expect.ts'

/** Declaring channels and groups. */
export const topology: readonly ConformanceCase[] = [
  {
    id: 'topology/idempotent',
    title: 'declaring again what exists makes nothing and harms nothing, also after a restart',
    async run(context) {
      const channel = await context.channel({ groups: [] })
      const made = await channel.declare(['a', 'b'])
      assert.equal(made.created.length, 2)
      const sent = await channel.publish(channel.record())
      assert.deepEqual(await channel.declare(['a', 'b']), { created: [], drift: [] })
      await context.restart()
      assert.deepEqual(await channel.declare(['a', 'b']), { created: [], drift: [] })
      const member = await channel.join('a', { credit: 10 })
      expectSame([await member.next()], sent)
    },
  },
  {
    id: 'topology/at-the-same-time',
    title: 'two processes that declare the same at the same time both succeed',
    async run(context) {
      const name = context.unique('channel')
      const spec: ChannelSpec = { name, kind: 'log', keyed: false }
      const groups = [{ channel: name, group: 'g', from: 'next' }] as const
      const reports = await Promise.all(Array.from({ length: 5 }, () => context.declare([spec], groups)))
      const created = reports.flatMap((report) => report.created)
      assert.equal(new Set(created).size, created.length, 'each is created once')
    },
  },
  {
    id: 'topology/drift',
    title: 'what exists with other settings is named with both values and stays as it is',
    async run(context) {
      const name = context.unique('channel')
      const keyed = context.capabilities.keyOrder !== 'none'
      const channel = await context.channel({ name, kind: 'log', keyed, retention: { forMs: 1_000 } })
      const [sent] = await channel.publish(channel.record())
      assert.ok(sent)
      const wishes: readonly [string, Partial<ChannelSpec>][] = [
        ['kind', { kind: 'queue', retention: undefined }],
        ['keyed', { keyed: !keyed }],
        ['retention', { retention: { forMs: 2_000 } }],
        ['retention', { retention: { forMs: 1_000, bytesMax: 4_096 } }],
      ]
      for (const [setting, change] of wishes) {
        const wanted = { ...channel.spec, ...change }
        const { created, drift } = await context.engine.declare({ channels: [wanted], groups: [] })
        assert.deepEqual(created, [])
        const found = drift.find((each) => each.name === name && each.setting.split('.')[0] === setting)
        assert.ok(found, `drift of ${setting} is reported, got ${JSON.stringify(drift)}`)
        assert.notEqual(found.wanted, found.found, 'drift names two values')
      }
      const member = await channel.join('g', { credit: 10 })
      expectSame([await member.next()], [sent])
    },
  },
]
