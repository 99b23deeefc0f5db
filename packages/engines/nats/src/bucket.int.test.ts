import { DiscardPolicy, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { runningServer, TcpProxy } from '@posthaste/conformance'
import { silentLog, systemClock } from 'posthaste/pipeline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freshPrefix, removeInstallation } from '../test/installation.ts'
import { servers, until } from '../test/rig.ts'
import { Bucket } from './bucket.ts'
import { Link } from './link.ts'
import { namesFor } from './names.ts'
import { settingsOf } from './options.ts'

describe.each(servers)('a bucket on $name', ({ name }) => {
  const server = runningServer(name)
  if (server === undefined) {
    it('needs a server', (context) => context.skip(`start it with: npm run engines -- up ${name}`))
    return
  }
  const prefix = freshPrefix()
  const names = namesFor(prefix).members
  const ends: (() => Promise<void>)[] = []
  let proxy: TcpProxy
  let other: NatsConnection
  beforeEach(async () => {
    const { hostname, port } = new URL(server.url)
    proxy = new TcpProxy({ host: hostname, port: Number(port) })
    await proxy.listen()
    other = await connect({ servers: new URL(server.url).host })
  })
  afterEach(async () => {
    for (const end of ends.splice(0)) await end()
    await proxy.destroy()
    await other.close()
    await removeInstallation(server.url, prefix)
  })

  async function bucketOf(markMs?: number): Promise<{ readonly bucket: Bucket; readonly changed: string[] }> {
    const settings = settingsOf({ url: proxy.url(server?.url ?? ''), prefix, timeoutMs: 10_000 })
    const host = { clock: systemClock, log: silentLog, instance: 'bucket', random: () => 0.5, onState: () => {} }
    const link = new Link(settings, host)
    await link.open()
    const changed: string[] = []
    const onChange = (key: string) => void changed.push(key)
    const bucket = new Bucket(link, names, markMs === undefined ? { onChange } : { onChange, markMs })
    ends.push(async () => {
      bucket.close()
      await link.close()
    })
    return { bucket, changed }
  }

  const messages = async (): Promise<number> => {
    const manager = await jetstreamManager(other, { checkAPI: false })
    return (await manager.streams.info(names.stream)).state.messages
  }

  it('keeps no marks of keys that were deleted a while ago', async () => {
    const { bucket } = await bucketOf(1)
    await bucket.open()
    await bucket.write('stays', '1', 0)
    const revision = await bucket.write('goes', '1', 0)
    await bucket.write('goes', undefined, revision ?? 0)
    expect(await messages()).toBe(2)
    await until(() => bucket.get('goes').revision === 0)
    expect(await messages()).toBe(1)
    expect(await bucket.write('goes', '2', 0)).toBeGreaterThan(0)
    expect(bucket.get('stays').value).toBe('1')
  })

  it('learns after an outage what was deleted, though no mark is left of it', async () => {
    const { bucket, changed } = await bucketOf()
    await bucket.open()
    await bucket.write('goes', '1', 0)
    await bucket.write('stays', '1', 0)
    changed.length = 0
    await proxy.cut()
    const manager = await jetstreamManager(other, { checkAPI: false })
    await manager.streams.purge(names.stream, { filter: `${names.subject}goes` })
    await until(() => changed.includes('goes'))
    expect(bucket.get('goes').value).toBeUndefined()
    expect(bucket.get('stays').value).toBe('1')
  })

  it('is opened although the connection is lost in the midst of it', async () => {
    const { bucket: filler } = await bucketOf()
    await filler.open()
    const keys = Array.from({ length: 300 }, (_, at) => `key${at}`)
    await Promise.all(keys.map((key) => filler.write(key, 'x'.repeat(2_000), 0)))
    const { bucket, changed } = await bucketOf()
    const opening = bucket.open()
    await until(() => changed.length > 0)
    await proxy.cut()
    await opening
    expect(keys.filter((key) => bucket.get(key).value === undefined)).toEqual([])
  })

  it('is opened although its keys stood for one message at most before', async () => {
    const manager = await jetstreamManager(other, { checkAPI: false })
    const { stream, subject } = names
    const before = { name: stream, subjects: [`${subject}>`], max_msgs_per_subject: 1, discard: DiscardPolicy.New }
    await manager.streams.add({ ...before, allow_direct: true, allow_rollup_hdrs: true, deny_delete: true })
    const { bucket } = await bucketOf()
    await bucket.open()
    expect(await bucket.write('key', '1', 0)).toBe(1)
  })
})
