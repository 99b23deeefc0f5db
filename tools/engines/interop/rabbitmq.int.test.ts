import { randomUUID } from 'node:crypto'
import { rabbitmq } from '@posthaste/rabbitmq'
import { expect, it } from 'vitest'
import {
  bareEvent,
  dataOf,
  follower,
  foreignEvent,
  handledAs,
  is,
  isBare,
  OrderPlaced,
  OrderSeen,
  order,
} from './follower.ts'
import { ForeignClient, type ForeignEvent } from './foreign-client.ts'
import { pythonClient } from './languages.ts'
import { required } from './requirement.ts'

interface ReadEvent extends ForeignEvent {
  readonly routingKey: string
}

const keyRanges = 4

it('Python and Posthaste understand each other over RabbitMQ', async (context) => {
  const { server, client } = await required(context, { name: 'rabbitmq', language: 'Python 3', client: pythonClient })
  const prefix = `i${randomUUID().slice(0, 5)}.`
  const { app, handled } = await follower(rabbitmq({ url: server.url, prefix, keyRanges }))
  const python = new ForeignClient([...client, server.url])
  try {
    // A channel without keys is an exchange that gives to all; with keys, the routing key is the key's range.
    const [seen, placed] = [foreignEvent(OrderSeen.type), foreignEvent(OrderPlaced.type)]
    await python.ask({ do: 'publish', exchange: prefix + OrderSeen.type, ...seen })
    expect(await handled(is(seen))).toEqual(handledAs(seen))
    const sent = await python.ask({ do: 'publish', exchange: prefix + OrderPlaced.type, keyRanges, ...placed })
    expect(await handled(is(placed))).toEqual(handledAs(placed))

    // What says nothing but its data is an event of its channel, with an id that is made up.
    await python.ask({ do: 'publish', exchange: prefix + OrderSeen.type, ...bareEvent })
    const { context: bare } = await handled(isBare)
    expect(bare).toMatchObject({ id: expect.stringMatching(/./), type: OrderSeen.type, source: '', key: undefined })

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
    await app.close()
    await python.ask({ do: 'remove', ...objectsOf(prefix) })
    await python.close()
  }
})

/** What the application has made on the server, by the names that the engine's README tells. */
function objectsOf(prefix: string): { readonly queues: readonly string[]; readonly exchanges: readonly string[] } {
  const channels = [OrderSeen.type, OrderPlaced.type].map((type) => prefix + type)
  const deadLetters = [OrderSeen.type, OrderPlaced.type].map((type) => `${prefix}posthaste.dead.watch.${type}`)
  const ranges = Array.from({ length: keyRanges }, (_, range) => `${channels[1]}@watch#${range}`)
  return {
    queues: [
      ...[`${channels[0]}@watch`, ...ranges, ...ranges.map((range) => `${range}.notes`), ...deadLetters],
      ...['registry', 'registered'].map((name) => `${prefix}posthaste~${name}`),
    ],
    exchanges: [
      ...[...channels, ...deadLetters].flatMap((name) => [name, `${name}~settings`, `${name}~group`]),
      `${prefix}posthaste~registry`,
    ],
  }
}
