import {
  credentials,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceClientConstructor,
  type sendUnaryData,
} from '@grpc/grpc-js'
import { fromJSON } from '@grpc/proto-loader'
import protobuf from 'protobufjs'
import { type Contestant, checked, echoed, watched } from '../contestant.ts'
import { orderProto } from './proto.ts'

const options = { keepCase: true, longs: Number, defaults: true }
const { root } = protobuf.parse(orderProto, { keepCase: true })
const loaded = loadPackageDefinition(fromJSON(root.toJSON(), options)) as unknown
const { Shop } = (loaded as { readonly bench: { readonly Shop: ServiceClientConstructor } }).bench

/** gRPC as Node's own implementation has it, with protobuf. */
export const contestant: Contestant = {
  serve() {
    const server = new Server()
    server.addService(Shop.service, {
      Echo(call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>) {
        echoed(call.request).then((order) => answer(null, order), answer)
      },
      async Watch(call: ServerWritableStream<unknown, unknown>) {
        for await (const order of watched(call.request)) {
          if (call.cancelled) return
          if (!call.write(order)) await room(call)
        }
        call.end()
      },
    })
    return new Promise((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error: Error | null, port: number) => {
        if (error) reject(error)
        else resolve(`127.0.0.1:${port}`)
      })
    })
  },
  async connect(at) {
    const client = new Shop(at, credentials.createInsecure())
    return checked({
      echo: (order) =>
        new Promise((resolve, reject) => {
          client.Echo(order, (error: Error | null, answer: unknown) => (error ? reject(error) : resolve(answer)))
        }),
      async *watch(asked) {
        const call = client.Watch(asked)
        call.on('error', () => {})
        try {
          yield* call
        } finally {
          call.cancel()
        }
      },
    })
  },
}

/** Until there is room again, or nobody is there any more. */
function room(call: ServerWritableStream<unknown, unknown>): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      for (const name of ['drain', 'cancelled', 'close']) call.off(name, go)
      resolve()
    }
    for (const name of ['drain', 'cancelled', 'close']) call.once(name, go)
  })
}
