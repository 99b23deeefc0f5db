import type { Log } from '@posthaste/contracts'
import { silentLog } from 'posthaste/pipeline'
import { manualClock } from 'posthaste/testing'
import { expect, it } from 'vitest'
import { Names } from './names.ts'
import { Registry, type RegistryDeps } from './registry.ts'

/** A registry on a server that refuses all that it is told, with this reply. */
function refused(reply: string) {
  const asked: number[] = []
  const warnings: { readonly message: string; readonly details: unknown }[] = []
  const link = { generation: 1, isBlocked: false, hangs: false }
  const clock = manualClock()
  const admin = {
    run: async () => {
      asked.push(link.generation)
      if (link.hangs) await new Promise(() => {})
      throw Object.assign(new Error(`QueueDeclare: ${reply} - no`), { code: reply })
    },
  }
  const log: Log = { ...silentLog, warn: (message, details) => void warnings.push({ message, details }) }
  const deps = { link, admin, catalogue: { names: new Names('shop.') }, clock, log, timeoutMs: 30_000 }
  return { registry: new Registry(deps as unknown as RegistryDeps), link, clock, asked, warnings }
}

const facts = { channel: 'facts' }
const nothing = async () => ({ found: undefined, gone: [] })

it('a registry that may not be written fails nobody who declares, and is told once with what to do', async () => {
  const { registry, warnings } = refused('ACCESS_REFUSED')
  await registry.add([facts])
  await registry.add([{ channel: 'other' }])
  expect(warnings).toEqual([
    {
      message: 'rabbitmq: what is declared here will not be listed',
      details: expect.objectContaining({
        remedy: 'Let the user configure, write and read shop.posthaste~registry and shop.posthaste~registered.',
      }),
    },
  ])
})

it('a registry that may not be written is not read: what this process has declared is not in it', async () => {
  const { registry } = refused('ACCESS_REFUSED')
  await registry.add([facts])
  await expect(registry.read(nothing)).rejects.toMatchObject({
    code: 'PERMISSION_DENIED',
    message: expect.stringContaining('cannot be written'),
    remedy: expect.stringContaining('shop.posthaste~registry'),
  })
})

it('what could not be written is tried again over the next connection and before it is read, and not between', async () => {
  const { registry, link, asked } = refused('PRECONDITION_FAILED')
  await registry.add([facts])
  await registry.add([facts])
  expect(asked).toEqual([1])
  link.generation = 2
  await registry.add([facts])
  expect(asked).toEqual([1, 2])
  await expect(registry.read(nothing)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
  expect(asked).toEqual([1, 2, 2])
})

it('nobody waits for a server that takes nothing for now', async () => {
  const { registry, link, asked, warnings } = refused('ACCESS_REFUSED')
  link.isBlocked = true
  await registry.add([facts])
  expect(asked).toEqual([])
  expect(warnings).toHaveLength(1)
})

it('nobody waits for a registry that does not answer for longer than five seconds, and only once over a connection', async () => {
  const { registry, link, clock, warnings } = refused('')
  link.hangs = true
  const adding = registry.add([facts])
  await new Promise((resolve) => setImmediate(resolve))
  await clock.advance(5_000)
  await adding
  await registry.add([facts])
  expect(warnings).toMatchObject([{ details: { cause: { code: 'UNAVAILABLE' } } }])
})
