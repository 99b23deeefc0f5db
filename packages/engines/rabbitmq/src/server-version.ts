import { type Channel, Connection } from 'rabbitmq-client'

/**
 * A connection that remembers which version of the server answered. The client reads the server's properties and throws
 * them away, so this listens in on what it reads while it negotiates. Where a later client reads otherwise, the version
 * is unknown and everything else works.
 */
export class VersionedConnection extends Connection {
  /** As the server says it, `3.10.8`; undefined before the first connection. */
  serverVersion: string | undefined

  /** Called by the client once per connection, with what reads from the socket. */
  async _negotiate(read: Read): Promise<void> {
    const listening: Read = async (count) => {
      const bytes = await read(count)
      this.serverVersion = versionIn(bytes) ?? this.serverVersion
      return bytes
    }
    const { _negotiate: negotiate } = Connection.prototype as unknown as Negotiating
    await negotiate.call(this, listening)
  }

  /** A channel, whose frames are as large as was agreed: the client goes by what it was told, which may be more. */
  override async acquire(options?: { readonly emitErrorsFromChannel?: boolean }): Promise<Channel> {
    const channel = await super.acquire(options)
    const { _state: agreed } = this as unknown as Connected
    const { _state: state } = channel as unknown as Framing
    if (agreed.frameMax > 0 && state !== undefined) state.maxFrameSize = agreed.frameMax
    return channel
  }

  /** Ends the connection, which comes back by itself. */
  drop(cause: Error): void {
    const { _socket: socket } = this as unknown as Connected
    socket.destroy(cause)
  }
}

interface Framing {
  readonly _state?: { maxFrameSize: number }
}

interface Connected {
  readonly _state: { readonly frameMax: number }
  readonly _socket: { destroy(cause: Error): void }
}

type Read = (count: number) => Promise<Buffer>
interface Negotiating {
  _negotiate(read: Read): Promise<void>
}

/** The long string behind the field `version` of a table, if there is one. @see AMQP 0-9-1, 4.2.5.5 */
export function versionIn(bytes: Buffer): string | undefined {
  const name = '\x07versionS'
  const at = bytes.indexOf(name, 0, 'latin1')
  if (at < 0) return undefined
  const start = at + name.length + 4
  return bytes.toString('utf8', start, start + bytes.readUInt32BE(start - 4))
}

/** Whether a server is of this version or a later one; false where its version is unknown. */
export function isAtLeast(version: string | undefined, major: number, minor: number): boolean {
  const [foundMajor = 0, foundMinor = 0] = (version ?? '').split('.').map(Number)
  return foundMajor > major || (foundMajor === major && foundMinor >= minor)
}
