import { randomUUID } from 'node:crypto'
import { rabbitmq } from '@posthaste/rabbitmq'
import { expect, it } from 'vitest'
import { dataOf, follower, foreignEvent, handledAs, OrderPlaced, OrderSeen, order } from './follower.ts'
import { ForeignClient, type ForeignEvent } from './foreign-client.ts'
import { pythonClient } from './languages.ts'
import { required } from './requirement.ts'

interface ReadEvent extends ForeignEvent {
  readonly routingKey: string
}

const keyRanges = 4

it('Python and Posthaste understand each other over RabbitMQ', async (context) => {
  const { server, client } = await required(context, { name: 'rabbitmq', language: 'Python 3', client: pythonClient })
  const prefix = `interop-${randomUUID().slice(0, 8)}.`
  const { app, handled } = await follower(rabbitmq({ url: server.url, prefix, keyRanges }))
  const python = new ForeignClient([...client, server.url])
  try {
    // A channel without keys is an exchange that gives to all; with keys, the routing key is the key's range.
    const [seen, placed] = [foreignEvent(OrderSeen.type), foreignEvent(OrderPlaced.type)]
    await python.ask({ do: 'publish', exchange: prefix + OrderSeen.type, ...seen })
    expect(await handled(seen.attributes.id ?? '')).toEqual(handledAs(seen))
    const sent = await python.ask({ do: 'publish', exchange: prefix + OrderPlaced.type, keyRanges, ...placed })
    expect(await handled(placed.attributes.id ?? '')).toEqual(handledAs(placed))

    const { queue } = await python.ask<{ queue: string }>({
      do: 'listen',
      exchange: prefix + OrderPlaced.type,
      bindingKey: '#',
    })
    const { id } = await app.publish(OrderPlaced, order, { headers: { tenant: 'größer' } })
    const { events } = await python.ask<{ events: readonly ReadEvent[] }>({ do: 'read', queue, count: 1 })
    expect(events[0]?.attributes).toEqual({
      ...{ id, source: '/interop', specversion: '1.0', type: OrderPlaced.type, tenant: 'größer' },
      ...{ partitionkey: order.orderNo, datacontenttype: 'application/json' },
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    })
    expect(dataOf(events[0] as ReadEvent)).toEqual(order)
    expect(sent).toEqual({ routingKey: events[0]?.routingKey })
  } finally {
    await python.close()
    await app.close()
  }
})
