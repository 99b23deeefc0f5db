import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** A server that answers as it is told to, in pieces as small as can be. */
export interface ScriptedServer extends AsyncDisposable {
  readonly url: URL
  /** All that clients have sent. */
  received(): string
}

/** Starts one: `greeting` is sent first, then one of the answers for each time that something comes; then it hangs up. */
export async function scripted(greeting: string | undefined, answers: readonly string[]): Promise<ScriptedServer> {
  let received = ''
  const server = createServer(async (socket) => {
    socket.setNoDelay(true).on('error', () => {})
    const say = async (text: string): Promise<void> => {
      for (const byte of Buffer.from(text, 'latin1')) {
        if (!socket.destroyed) await new Promise((resolve) => socket.write(Buffer.from([byte]), resolve))
      }
    }
    if (greeting !== undefined) await say(greeting)
    const left = [...answers]
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      received += chunk.toString('latin1')
      const answer = left.shift()
      if (answer === undefined) break
      await say(answer)
      if (left.length === 0) socket.end()
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: new URL(`test://127.0.0.1:${port}`),
    received: () => received,
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}
