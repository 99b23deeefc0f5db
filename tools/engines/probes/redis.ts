import { exchange, line, userOf } from './exchange.ts'

/**
 * Asks a Redis server whether it has loaded its data, and for its version.
 * @see https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
export async function probeRedis(url: URL): Promise<string> {
  return exchange(url, async ({ send, receive }) => {
    const user = userOf(url)
    if (user) {
      send(command('AUTH', user.username, user.password))
      const admitted = await receive(line)
      if (admitted !== '+OK') throw new Error(`AUTH was answered with ${admitted}`)
    }
    send(command('PING') + command('INFO', 'server'))
    const answer = await receive(line)
    if (answer !== '+PONG') throw new Error(`PING was answered with ${answer}`)
    return receive((received) => {
      const text = received.toString('utf8')
      const found = /redis_version:(\S+)\r\n/.exec(text)
      return found ? { value: found[1]!, bytes: received.length } : undefined
    })
  })
}

function command(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}
