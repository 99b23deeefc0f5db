import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { create, createFileRegistry, type DescService } from '@bufbuild/protobuf'
import {
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt'
import { type ConnectRouter, createClient } from '@connectrpc/connect'
import { connectNodeAdapter, createConnectTransport } from '@connectrpc/connect-node'
import { type Contestant, checked, echoed, watched } from '../contestant.ts'
import type { Order, Watch } from '../order.ts'

/** What the generated code of a project would say; here the descriptor is made by hand. */
interface ShopClient {
  echo(order: Order): Promise<unknown>
  watch(asked: Watch): AsyncIterable<unknown>
}

const field = (name: string, number: number, type: Type) => ({
  name,
  jsonName: name,
  number,
  type,
  label: Label.OPTIONAL,
})
const file = create(FileDescriptorProtoSchema, {
  name: 'bench.proto',
  package: 'bench',
  syntax: 'proto3',
  messageType: [
    {
      name: 'Order',
      field: [
        field('orderNo', 1, Type.STRING),
        field('sku', 2, Type.STRING),
        field('quantity', 3, Type.INT32),
        field('price', 4, Type.DOUBLE),
        field('note', 5, Type.STRING),
      ],
    },
    { name: 'Watch', field: [field('noteBytes', 1, Type.INT32), field('count', 2, Type.INT32)] },
  ],
  service: [
    {
      name: 'Shop',
      method: [
        { name: 'Echo', inputType: '.bench.Order', outputType: '.bench.Order' },
        { name: 'Watch', inputType: '.bench.Watch', outputType: '.bench.Order', serverStreaming: true },
      ],
    },
  ],
})
const Shop = createFileRegistry(file, () => undefined).getService('bench.Shop') as DescService

/** Connect with protobuf over HTTP/2. */
export const contestant: Contestant = {
  serve() {
    const handlers = { echo: (order: unknown) => echoed(order), watch: (asked: unknown) => watched(asked) }
    const routes = (router: ConnectRouter): void => {
      router.service(Shop, handlers)
    }
    const server = createServer(connectNodeAdapter({ routes }))
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
    })
  },
  async connect(at) {
    const client = createClient(
      Shop,
      createConnectTransport({ baseUrl: at, httpVersion: '2' }),
    ) as unknown as ShopClient
    return checked({ echo: (order) => client.echo(order), watch: (asked) => client.watch(asked) })
  },
}
