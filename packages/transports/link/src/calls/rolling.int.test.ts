import { type PosthasteError, service } from '@posthaste/contracts'
import { type App, posthaste } from 'posthaste'
import { silentLog } from 'posthaste/pipeline'
import { expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { client, until } from '../../test/apps.ts'
import { link } from './link.ts'

const Text = z.object({ n: z.number(), server: z.number() })
const Shop = service('shop.Shop', { add: { input: z.object({ n: z.number() }), output: Text } })

it('a rolling restart loses no call, though none of them may be repeated', async () => {
  const done = new Map<number, number>()
  let server = 0
  let port = 0
  /** One server after the other on one port, as a deployment behind one name. */
  const begin = async (): Promise<App> => {
    const own = ++server
    const app = posthaste({ name: 'server', transports: [link({ port })], log: silentLog, signals: false })
    app.serve(Shop, {
      async add({ n }) {
        await new Promise((resolve) => setTimeout(resolve, 5))
        done.set(n, (done.get(n) ?? 0) + 1)
        return { n, server: own }
      },
    })
    await app.start()
    port = Number((app.urls[0] as string).split(':').at(-1))
    return app
  }
  let app = await begin()
  onTestFinished(() => app.close())
  const shop = await client(Shop, { url: app.urls[0] as string, backoffMs: 5 })

  let calls = 0
  let stopped = false
  const failures: unknown[] = []
  const servers = new Set<number>()
  const lane = async (): Promise<void> => {
    while (!stopped) {
      const n = calls++
      try {
        const answer = await shop.add({ n })
        servers.add(answer.server)
        if (answer.n !== n) failures.push(`${n} was answered with ${answer.n}`)
      } catch (error) {
        failures.push((error as PosthasteError).message)
      }
    }
  }
  const lanes = Array.from({ length: 32 }, lane)
  for (let n = 1; n <= 4; n++) {
    await until(() => servers.has(server))
    await app.close()
    app = await begin()
  }
  await until(() => servers.has(server))
  stopped = true
  await Promise.all(lanes)
  expect(failures).toEqual([])
  expect([servers.size, done.size]).toEqual([5, calls])
  expect([...done.values()].every((times) => times === 1)).toBe(true)
})
