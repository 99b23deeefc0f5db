import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { Command, Redis } from 'ioredis'
import { Connector } from './connector.ts'
import { refuseDatabase } from './errors.ts'
import { script, scriptSha } from './lua/script.ts'
import type { CheckedOptions, RedisTls } from './options.ts'

/** What a link tells of itself. */
export interface LinkEvents {
  /** Something was published on a channel that is subscribed to. */
  message(channel: string, text: string): void
  /** It is gone for good; commands under way have been rejected. Once, and only after it was open. */
  lost(cause: Error): void
}

/** Without a name in the options, the certificate must be for the host; an address is no name to ask a server for. */
function tlsOptions({ ca, cert, key, serverName }: RedisTls, host: string): ConnectionOptions {
  const name = serverName ?? host
  return { ca, cert, key, ...(isIP(name) === 0 && { servername: name }) }
}

/** How any connection is made; without queues, in which a command could wait unseen. */
export function connectionOptions(options: CheckedOptions, name: string) {
  const { host, port, username, password, tls } = options
  return {
    ...{ host, port, connectionName: name.replaceAll(/[^\x21-\x7e]/g, '-') },
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { tls: tlsOptions(tls, host) }),
    ...{
      Connector,
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      disableClientInfo: true,
    },
  }
}

/** One pair of connections to the server: for commands, and for what others tell. It is used until the first of them is lost. */
export class Link {
  readonly #commands: Redis
  readonly #messages: Redis
  readonly #events: LinkEvents
  readonly #scriptKey: string
  readonly #db: number
  #lastError: Error | undefined
  #isOpen = false
  #id = ''

  constructor(options: CheckedOptions, name: string, events: LinkEvents) {
    this.#events = events
    this.#scriptKey = `{${options.prefix}}:`
    this.#db = options.db
    this.#commands = this.#connection(options, name)
    this.#messages = this.#connection(options, `${name}-messages`)
    this.#messages.on('message', (channel: string, text: string) => events.message(channel, text))
  }

  #connection(options: CheckedOptions, name: string): Redis {
    const redis = new Redis({
      ...connectionOptions(options, name),
      // Who waits for what, and for how long, is decided in one place, and that is not here.
      ...{ retryStrategy: () => null, maxRetriesPerRequest: null, autoResubscribe: false },
    })
    redis.on('error', (error: Error) => {
      this.#lastError = error
    })
    redis.on('end', () => this.#ended())
    return redis
  }

  #ended(): void {
    const wasOpen = this.#isOpen
    this.close()
    if (wasOpen) this.#events.lost(this.#lastError ?? new Error('the connection was closed'))
  }

  /** Connects, and brings the script to the server. Rejects with the server's or the system's error. */
  async open(channels: readonly string[]): Promise<void> {
    try {
      await Promise.all([this.#commands.connect(), this.#messages.connect()])
      // The client would select it as well, and go on in another where the server refuses. What others tell is of no database.
      if (this.#db !== 0)
        await this.#commands.select(this.#db).catch((thrown: unknown) => refuseDatabase(this.#db, thrown))
      await this.#commands.script('LOAD', script)
      // Not everybody may ask for it.
      this.#id = String(await this.command('CLIENT', 'ID').catch(() => ''))
      if (channels.length > 0) await this.#messages.subscribe(...channels)
      this.#isOpen = true
    } catch (thrown) {
      this.close()
      throw this.#lastError ?? thrown
    }
  }

  /** Whether both connections stand. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** What the server calls the connection for commands; empty where it does not tell. */
  get id(): string {
    return this.#id
  }

  /** Lets go of both connections; what is under way is rejected. */
  close(): void {
    this.#isOpen = false
    this.#commands.disconnect()
    this.#messages.disconnect()
  }

  async subscribe(channel: string): Promise<void> {
    await this.#messages.subscribe(channel)
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.#messages.unsubscribe(channel)
  }

  /** Calls an operation of the script. */
  run(operation: string, packed: Buffer): Promise<Buffer> {
    const call = this.#send('evalsha', [scriptSha, '1', this.#scriptKey, operation, packed])
    // The server forgets scripts when somebody tells it to; this brings it back.
    return call.catch((thrown: unknown) => {
      if (!(thrown instanceof Error) || !thrown.message.startsWith('NOSCRIPT')) throw thrown
      return this.#send('eval', [script, '1', this.#scriptKey, operation, packed])
    })
  }

  /** Sends any other command. */
  async command(name: string, ...args: readonly string[]): Promise<unknown> {
    return this.#commands.call(name, ...args)
  }

  /** Not one of the client's own methods: they convert what is bytes on both ways. */
  #send(name: string, args: readonly (string | Buffer)[]): Promise<Buffer> {
    return this.#commands.sendCommand(new Command(name, [...args])) as Promise<Buffer>
  }
}
