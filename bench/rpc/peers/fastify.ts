import fastify from 'fastify'
import { type Contestant, echoed } from '../contestant.ts'
import { undiciCaller } from './undici.ts'

/** A route of Fastify, called by undici. */
export const contestant: Contestant = {
  async serve() {
    const server = fastify({ bodyLimit: 1_048_576 })
    server.post('/echo', (request) => echoed(request.body))
    return server.listen({ port: 0, host: '127.0.0.1' })
  },
  async connect(at) {
    return undiciCaller(at)
  },
}
