import { exchange, line } from './exchange.ts'

/**
 * Asks a NATS server whether JetStream answers, and for its version.
 * @see https://docs.nats.io/reference/reference-protocols/nats-protocol
 */
export async function probeNats(port: number): Promise<string> {
  return exchange(port, async ({ send, receive }) => {
    const greeting = await receive(line)
    const { version } = JSON.parse(greeting.replace(/^INFO /, '')) as { readonly version: string }
    send('CONNECT {"verbose":false,"pedantic":false}\r\nSUB probe 1\r\nPUB $JS.API.INFO probe 0\r\n\r\n')
    for (;;) {
      const answer = await receive(line)
      if (answer.startsWith('-ERR')) throw new Error(answer)
      if (answer.startsWith('{') && !answer.includes('"error"')) return version
      if (answer.startsWith('{')) throw new Error(`JetStream answered ${answer}`)
    }
  })
}

/** Waits for the greeting of a server that asks for more before it answers anything. */
export async function probeNatsGreeting(port: number): Promise<void> {
  await exchange(port, ({ receive }) => receive(line))
}
