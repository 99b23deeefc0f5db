import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeRig, type Rig } from '../test/rig.ts'
import { installationOf, serverOf } from './engine.ts'
import { Store } from './store/store.ts'

describe('the URL of an engine', () => {
  it.each([
    ['amqp://guest:guest@127.0.0.1:5672/vhost', 'rabbitmq'],
    ['amqps://127.0.0.1', 'rabbitmq'],
    ['kafka://127.0.0.1:9092', 'kafka'],
    ['kafkas://127.0.0.1:9093', 'kafka'],
    ['nats://127.0.0.1:4222', 'nats'],
    ['tls://127.0.0.1:4222', 'nats'],
    ['redis://:secret@127.0.0.1:6379/1', 'redis'],
    ['rediss://127.0.0.1:6379', 'redis'],
  ])('%s means %s', (url, server) => {
    expect(serverOf(url)).toBe(server)
  })

  it.each([
    ['nowhere', /must be a URL.* amqp:\/\/.* rediss:\/\//],
    ['mqtt://me:secret@127.0.0.1', /no engine for mqtt:\/\/.* nats:\/\//],
  ])('%s is refused, what there is is named, and no password repeated', (url, message) => {
    expect(() => serverOf(url)).toThrow(message)
    expect(() => serverOf(url)).not.toThrow(/secret/)
  })
})

describe('the installation', () => {
  let rig: Rig
  beforeEach(async () => {
    rig = await makeRig()
  })
  afterEach(() => rig.close())

  it('is named once for a store, and differently for another', async () => {
    const names: string[] = []
    for (const dir of ['one', 'one', 'another']) {
      const store = new Store(join(rig.dir, dir))
      names.push(await installationOf(store))
      await store.close()
    }
    expect(names[0]).toMatch(/^shop-[0-9a-f]{8}$/)
    expect(names[1]).toBe(names[0])
    expect(names[2]).not.toBe(names[0])
  })

  it('is not begun under a URL that names no engine', async () => {
    await expect(rig.open({ engineUrl: 'mqtt://127.0.0.1' })).rejects.toThrow('no engine for mqtt://')
    await expect(rig.open()).resolves.toHaveProperty('url')
  })
})
