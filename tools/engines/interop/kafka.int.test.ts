import { randomUUID } from 'node:crypto'
import { kafka } from '@posthaste/kafka'
import { expect, it } from 'vitest'
import { bareEvent, dataOf, follower, foreignEvent, handledAs, is, isBare, OrderPlaced, order } from './follower.ts'
import { ForeignClient, type ForeignEvent } from './foreign-client.ts'
import { javaClient } from './languages.ts'
import { required } from './requirement.ts'

interface ReadEvent extends ForeignEvent {
  readonly key: string
  readonly partition: number
}

/** Several, so that they are in several partitions. */
const orders = ['A-1', 'B-22', 'C-333', 'D-4444', 'Größe 5', '你好'].map((orderNo) => ({ ...order, orderNo }))

/** Java compiles the client first. */
const timeoutMs = 180_000

it('Java and Posthaste understand each other over Kafka, and agree on partitions', {
  timeout: timeoutMs,
}, async (context) => {
  const { server, client } = await required(context, {
    name: 'kafka',
    language: 'a JDK, or Maven,',
    client: javaClient,
  })
  const prefix = `interop-${randomUUID().slice(0, 8)}.`
  const topic = prefix + OrderPlaced.type
  const { app, handled } = await follower(kafka({ url: server.url, prefix, keyRanges: 4 }))
  const java = new ForeignClient([...client, new URL(server.url).host])
  try {
    const partitions = new Map<string, number>()
    for (const each of orders) {
      const placed = foreignEvent(OrderPlaced.type, each)
      const { partition } = await java.ask<{ partition: number }>({ do: 'publish', topic, ...placed })
      partitions.set(each.orderNo, partition)
      expect(await handled(is(placed))).toEqual(handledAs(placed, each))
    }
    expect(new Set(partitions.values()).size).toBeGreaterThan(1)

    // What says nothing but its data is an event of its channel, with an id that is made up.
    await java.ask({ do: 'publish', topic, ...bareEvent })
    const { context: bare } = await handled(isBare)
    expect(bare).toMatchObject({ id: expect.stringMatching(/./), type: OrderPlaced.type, source: '', key: undefined })

    const headers = { tenant: 'größer' }
    const receipts = await Promise.all(orders.map((each) => app.publish(OrderPlaced, each, { headers })))
    const { events } = await java.ask<{ events: readonly ReadEvent[] }>({
      do: 'read',
      topic,
      count: 2 * orders.length + 1,
    })
    for (const [at, each] of orders.entries()) {
      const id = receipts[at]?.id
      const found = events.find(({ attributes }) => attributes.id === id) as ReadEvent
      const { time, ...attributes } = found.attributes
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
      expect(attributes).toEqual({
        ...{ id, source: '/interop', specversion: '1.0', type: OrderPlaced.type, tenant: 'größer' },
        datacontenttype: 'application/json',
      })
      expect(dataOf(found)).toEqual(each)
      expect([found.key, found.partition]).toEqual([each.orderNo, partitions.get(each.orderNo)])
    }
  } finally {
    await app.close()
    await java.ask({ do: 'remove', prefix })
    await java.close()
  }
})
