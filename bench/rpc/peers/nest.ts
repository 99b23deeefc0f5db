import 'reflect-metadata'
import { createServer } from 'node:net'
import { Controller, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ClientProxyFactory, MessagePattern, Transport } from '@nestjs/microservices'
import { firstValueFrom } from 'rxjs'
import { type Contestant, checked, echoed } from '../contestant.ts'

class ShopController {
  echo(order: unknown): Promise<unknown> {
    return echoed(order)
  }
}

class ShopModule {}

// Types are stripped and decorators are not known to Node: what they do is done by hand.
Controller()(ShopController)
MessagePattern('echo')(
  ShopController.prototype,
  'echo',
  Object.getOwnPropertyDescriptor(ShopController.prototype, 'echo') as PropertyDescriptor,
)
Module({ controllers: [ShopController] })(ShopModule)

const host = '127.0.0.1'

/** A microservice of NestJS over its TCP transport. */
export const contestant: Contestant = {
  async serve() {
    const port = await freePort()
    const server = await NestFactory.createMicroservice(ShopModule, {
      transport: Transport.TCP,
      options: { host, port },
      logger: false,
    })
    await server.listen()
    return String(port)
  },
  async connect(at) {
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options: { host, port: Number(at) } })
    await client.connect()
    return checked({ echo: (order) => firstValueFrom(client.send('echo', order)) })
  },
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, host, () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
