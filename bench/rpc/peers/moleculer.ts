import { createServer } from 'node:net'
import moleculer, { type Context, type ServiceBroker } from 'moleculer'
import { type Contestant, checked, echoed } from '../contestant.ts'

/** Moleculer's own TCP transporter, both nodes told of each other. */
export const contestant: Contestant = {
  async serve() {
    const [server, client] = [await freePort(), await freePort()]
    const at = JSON.stringify({ server, client })
    const broker = brokerOf('server', at)
    broker.createService({ name: 'shop', actions: { echo: (ctx: Context) => echoed(ctx.params) } })
    await broker.start()
    return at
  },
  async connect(at) {
    const broker = brokerOf('client', at)
    await broker.start()
    await broker.waitForServices('shop')
    return checked({ echo: (order) => broker.call('shop.echo', order) })
  },
}

function brokerOf(nodeID: 'server' | 'client', at: string): ServiceBroker {
  const ports = JSON.parse(at)
  const urls = [`127.0.0.1:${ports.server}/server`, `127.0.0.1:${ports.client}/client`]
  const transporter = { type: 'TCP', options: { udpDiscovery: false, port: ports[nodeID], urls } }
  return new moleculer.ServiceBroker({ nodeID, transporter, logger: false })
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
