import { once } from 'node:events'
import { PosthasteError } from '@posthaste/contracts'
import { silentLog, systemClock } from 'posthaste/pipeline'
import { expect, it } from 'vitest'
import { type Answer, gate, listening, raw, served } from '../test/rig.ts'

const echo: Answer = ({ payload }) => payload

it('lets running calls finish and closes their connections', async () => {
  const begun = gate()
  const running = gate()
  const { url, transport } = await listening(
    {},
    served('GET /slow', async () => {
      begun.open()
      await running.opened
      return 'done'
    }),
  )
  const response = fetch(`${url}/slow`)
  await begun.opened
  const stopped = transport.stop(10_000)
  running.open()
  expect(await (await response).json()).toBe('done')
  expect((await response).headers.get('connection')).toBe('close')
  await stopped
  await expect(fetch(`${url}/slow`)).rejects.toThrow()
})

it('refuses new calls on connections that are still busy', async () => {
  const begun = gate()
  const running = gate()
  const method = served('GET /slow', async () => {
    begun.open()
    await running.opened
  })
  const { port, transport } = await listening({}, method, served('GET /a', echo))
  const client = raw(port)
  client.send('GET /slow HTTP/1.1\r\nhost: x\r\n\r\n')
  await begun.opened
  const stopped = transport.stop(10_000)
  client.send('GET /a HTTP/1.1\r\nhost: x\r\n\r\n')
  running.open()
  // Whether the second request came in before the first was answered is the machine's affair; it never runs.
  expect(await client.closed()).toMatch(/^HTTP\/1\.1 204 [^{]*(HTTP\/1\.1 503 .*"UNAVAILABLE".*)?$/s)
  await stopped
})

it('gives pipelined calls that run all of their answers', async () => {
  const begun = gate()
  const running = gate()
  const { port, transport } = await listening(
    {},
    served('GET /a', () => running.opened.then(() => 'first')),
    served('GET /b', () => {
      begun.open()
      return running.opened.then(() => 'second')
    }),
  )
  const client = raw(port)
  client.send('GET /a HTTP/1.1\r\nhost: x\r\n\r\nGET /b HTTP/1.1\r\nhost: x\r\n\r\n')
  await begun.opened
  const stopped = transport.stop(10_000)
  running.open()
  expect(await client.closed()).toMatch(/"first".*connection: close.*"second"/is)
  await stopped
})

it('closes idle connections, and those that never said anything, at once', async () => {
  const { port, transport } = await listening({}, served('GET /a', echo))
  const silent = raw(port)
  await once(silent.socket, 'connect')
  // Connections are accepted in order: with this one answered, the silent one is there too.
  const idle = raw(port)
  idle.send('GET /a HTTP/1.1\r\nhost: x\r\n\r\n')
  await idle.until(/200 OK/)
  await transport.stop(60_000)
  await idle.closed()
  await silent.closed()
})

it('cancels what still runs after the grace with 503, then cuts what is left', async () => {
  const begun = gate()
  const reasons: unknown[] = []
  const { url, port, transport } = await listening(
    {},
    served('GET /slow', async (_, gone) => {
      begun.open()
      await gone.catch((reason: unknown) => reasons.push(reason))
    }),
    served('POST /body', echo),
  )
  const response = fetch(`${url}/slow`)
  const stuck = raw(port)
  stuck.send('POST /body HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{')
  await begun.opened
  await transport.stop(50)
  expect((await response).status).toBe(503)
  expect((await response).headers.get('retry-after')).toBe('1')
  expect(PosthasteError.is(reasons[0], 'UNAVAILABLE')).toBe(true)
  await stuck.closed()
})

it('loses no call under load: each is answered, refused with 503 or cannot connect', async () => {
  let begun = 0
  let answered = 0
  const { url, transport } = await listening(
    {},
    served('POST /work', async () => {
      begun++
      await new Promise((resolve) => setTimeout(resolve, 5))
      return begun
    }),
  )
  let stopped: Promise<void> | undefined
  const statuses = new Set<number>()
  const client = async (): Promise<void> => {
    for (;;) {
      const response = await fetch(`${url}/work`, { method: 'POST' }).catch(() => undefined)
      if (response === undefined) return
      statuses.add(response.status)
      if (response.status === 200) answered++
      await response.text()
      if (answered > 200) stopped ??= transport.stop(10_000)
    }
  }
  await Promise.all(Array.from({ length: 20 }, client))
  await stopped
  expect(answered).toBe(begun)
  expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([])
})

it('stops as often as it is told to, and before it ever started', async () => {
  const { transport } = await listening({})
  await Promise.all([transport.stop(0), transport.stop(0)])
  await transport.stop(0)
})

it('can be started again after it stopped, and not while it listens', async () => {
  const { transport } = await listening({}, served('GET /a', echo))
  const host = { clock: systemClock, log: silentLog }
  await expect(transport.start([], host)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  await transport.stop(0)
  const [url] = await transport.start([served('GET /b', echo)], host)
  expect((await fetch(`${url}/b`)).status).toBe(200)
})
