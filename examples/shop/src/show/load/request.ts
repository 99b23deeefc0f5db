import { Agent, request } from 'node:http'

/** What one request asks. */
export interface Asked {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: object
}

/** Sends requests to one address over as many connections as it takes. */
export interface Sender {
  /** @returns the answer's status; 0 where there was none */
  send(asked: Asked): Promise<number>
  close(): void
}

/** @param url where the API is found */
export function senderTo(url: string): Sender {
  const agent = new Agent({ keepAlive: true })
  const { hostname, port } = new URL(url)
  return {
    send({ method, path, body }) {
      const text = body === undefined ? undefined : JSON.stringify(body)
      const headers =
        text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
      return new Promise((resolve) => {
        const outgoing = request({ agent, hostname, port, method, path, headers }, (answer) => {
          answer.resume()
          answer.on('end', () => resolve(answer.statusCode ?? 0))
          answer.on('error', () => resolve(0))
        })
        outgoing.on('error', () => resolve(0))
        outgoing.end(text)
      })
    },
    close: () => agent.destroy(),
  }
}
