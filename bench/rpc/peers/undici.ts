import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Pool } from 'undici'
import { type Caller, type Contestant, checked, echoed } from '../contestant.ts'

/** JSON over HTTP/1.1 as fast as it gets without a framework. */
export const contestant: Contestant = {
  serve() {
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      const answer = JSON.stringify(await echoed(JSON.parse(Buffer.concat(chunks).toString())))
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) })
      response.end(answer)
    })
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
    })
  },
  async connect(at) {
    return undiciCaller(at)
  },
}

/** A caller with 64 connections, each with one request at a time. */
export function undiciCaller(at: string): Caller {
  const pool = new Pool(at, { connections: 64, pipelining: 1 })
  const headers = { 'content-type': 'application/json' }
  return checked({
    async echo(order) {
      const { body } = await pool.request({ path: '/echo', method: 'POST', headers, body: JSON.stringify(order) })
      return JSON.parse(await body.text())
    },
  })
}
