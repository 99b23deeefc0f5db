import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PosthasteError } from '@posthaste/contracts'
import type { HealthConfig } from '../config/config.ts'
import type { BrokerFigures } from '../serving/figures.ts'

/** Where others ask whether the broker lives (`/health`), takes clients (`/ready`), and what it does (`/figures`). */
export class HealthEndpoint {
  readonly url: string
  readonly #server: Server

  private constructor(server: Server, url: string) {
    this.#server = server
    this.url = url
  }

  /** @throws UNAVAILABLE when the address cannot be bound */
  static async open({ host, port }: HealthConfig, figures: () => BrokerFigures): Promise<HealthEndpoint> {
    const server = createServer((request, response) => {
      const { status, body } = answerOf(request.url ?? '', request.method ?? '', figures())
      response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
      response.end(request.method === 'HEAD' ? undefined : JSON.stringify(body))
    })
    // A probe needs neither long nor much.
    server.requestTimeout = requestMs
    server.headersTimeout = requestMs
    server.maxConnections = connectionsMax
    server.listen(port, host)
    await once(server, 'listening').catch((thrown: unknown) => {
      throw PosthasteError.from(thrown, 'UNAVAILABLE', `the endpoint for health cannot listen on ${host}:${port}`)
    })
    const { port: bound } = server.address() as AddressInfo
    return new HealthEndpoint(server, `http://${host.includes(':') ? `[${host}]` : host}:${bound}`)
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }
}

const requestMs = 5_000
const connectionsMax = 64

function answerOf(url: string, method: string, figures: BrokerFigures) {
  const { state } = figures
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: { error: 'only GET' } }
  const [path] = url.split('?')
  // What cannot write must be looked after; what is being stopped is well.
  if (path === '/health') return { status: state === 'failed' ? 503 : 200, body: { state } }
  if (path === '/ready') return { status: state === 'ready' ? 200 : 503, body: { state } }
  if (path === '/figures') return { status: 200, body: figures }
  return { status: 404, body: { error: 'there are /health, /ready and /figures' } }
}
