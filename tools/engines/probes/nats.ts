import { exchange, line, userOf } from './exchange.ts'

/**
 * Asks a NATS server whether JetStream answers, and for its version.
 * @see https://docs.nats.io/reference/reference-protocols/nats-protocol
 */
export async function probeNats(url: URL): Promise<string> {
  return exchange(url, async ({ send, receive }) => {
    const greeting = await receive(line)
    const { version } = JSON.parse(greeting.replace(/^INFO /, '')) as { readonly version: string }
    const { username: user, password: pass } = userOf(url) ?? {}
    send(`CONNECT ${JSON.stringify({ verbose: false, pedantic: false, user, pass })}\r\n`)
    send('SUB probe 1\r\nPUB $JS.API.INFO probe 0\r\n\r\n')
    for (;;) {
      const answer = await receive(line)
      if (answer.startsWith('-ERR')) throw new Error(answer)
      if (answer.startsWith('{') && !answer.includes('"error"')) return version
      if (answer.startsWith('{')) throw new Error(`JetStream answered ${answer}`)
    }
  })
}
