import { type Exchange, exchange, type Reading, userOf } from './exchange.ts'

const connection = 10
const frameEnd = 0xce
const [start, startOk, tune, tuneOk, open, openOk] = [10, 11, 30, 31, 40, 41]

/**
 * Opens a connection to a RabbitMQ server as a client does, up to the virtual host, and gives the server's version.
 * @see https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf section 2.2.4
 */
export async function probeRabbitmq(url: URL): Promise<string> {
  return exchange(url, async (talk) => {
    talk.send(Buffer.from('AMQP\0\0\x09\x01', 'latin1'))
    const greeting = await method(talk, start)
    const { username, password } = userOf(url) ?? { username: 'guest', password: 'guest' }
    const response = shortString('PLAIN') + longString(`\0${username}\0${password}`) + shortString('en_US')
    talk.send(frame(startOk, longString('') + response))
    const limits = await method(talk, tune)
    talk.send(frame(tuneOk, limits.toString('latin1')))
    talk.send(frame(open, `${shortString(virtualHost(url))}${shortString('')}\0`))
    await method(talk, openOk)
    return versionIn(greeting)
  })
}

/** The path without its slash; the default one where there is no path. */
function virtualHost({ pathname }: URL): string {
  return pathname.length > 1 ? decodeURIComponent(pathname.slice(1)) : '/'
}

/** Waits for a method of the connection and gives its arguments. */
async function method({ receive }: Exchange, id: number): Promise<Buffer> {
  const payload = await receive(readFrame)
  if (payload.readUInt16BE(0) === connection && payload.readUInt16BE(2) === id) return payload.subarray(4)
  throw new Error(`expected method ${id} of the connection, got ${payload.toString('latin1')}`)
}

function readFrame(received: Buffer): Reading<Buffer> | undefined {
  if (received.length < 7) return undefined
  const bytes = received.readUInt32BE(3) + 8
  return received.length < bytes ? undefined : { value: received.subarray(7, bytes - 1), bytes }
}

function frame(id: number, args: string): Buffer {
  const payload = Buffer.from(`\0\0\0\0${args}`, 'latin1')
  payload.writeUInt16BE(connection, 0)
  payload.writeUInt16BE(id, 2)
  const header = Buffer.from([1, 0, 0, 0, 0, 0, 0])
  header.writeUInt32BE(payload.length, 3)
  return Buffer.concat([header, payload, Buffer.from([frameEnd])])
}

function shortString(text: string): string {
  return String.fromCharCode(text.length) + text
}

function longString(text: string): string {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  return length.toString('latin1') + text
}

/** The server's properties are a table; `version` in it is a long string. */
function versionIn(greeting: Buffer): string {
  const text = greeting.toString('latin1')
  const at = text.indexOf('\x07versionS') + '\x07versionS'.length
  return text.slice(at + 4, at + 4 + greeting.readUInt32BE(at))
}
