import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { PosthasteError } from '@posthaste/contracts'
import { Command, Redis } from 'ioredis'
import { Connector } from './connector.ts'
import { storeError } from './errors.ts'
import type { CheckedOptions, RedisTls } from './options.ts'
import type { Script } from './script.ts'

/** Without a name in the options, the certificate must be for the host; an address is no name to ask a server for. */
function tlsOptions({ ca, cert, key, serverName }: RedisTls, host: string): ConnectionOptions {
  const name = serverName ?? host
  return { ca, cert, key, ...(isIP(name) === 0 && { servername: name }) }
}

function newClient({ host, port, db, username, password, tls, timeoutMs }: CheckedOptions): Redis {
  return new Redis({
    ...{ host, port, db, Connector, connectionName: 'posthaste-store' },
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { tls: tlsOptions(tls, host) }),
    ...{ lazyConnect: true, disableClientInfo: true, connectTimeout: timeoutMs, commandTimeout: timeoutMs },
    // No queue in which a call could wait unseen and be sent when its caller has long given up.
    ...{ enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: null },
    ...{ retryStrategy: () => null, enableReadyCheck: false },
  })
}

/**
 * A connection that is made when it is needed: by the first call, and by the first one after it was lost. Calls that come
 * while it is being made wait for it. Nothing waits longer than the time limit for the connection, and again for the answer.
 */
export class Connection {
  readonly #options: CheckedOptions
  readonly #where: string
  #client: Promise<Redis> | undefined
  /** What `#client` is a promise of. */
  #inUse: Redis | undefined
  #closed = false

  constructor(options: CheckedOptions) {
    this.#options = options
    this.#where = `redis ${options.host}:${options.port}`
  }

  /** Runs a script on one key. Replies are bytes and whole numbers. @throws UNAVAILABLE, and what the server says */
  async run(script: Script, key: Buffer, args: readonly (string | Buffer)[]): Promise<unknown> {
    try {
      return await this.#run(script, key, args)
    } catch (thrown) {
      // That a connection has long been dead shows with the first call.
      if (!isUnwritten(thrown) && !(script.repeatable && isLost(thrown))) throw thrown
      return this.#run(script, key, args)
    }
  }

  async ping(): Promise<void> {
    await this.#send('ping', [])
  }

  async close(): Promise<void> {
    this.#closed = true
    const client = await this.#client?.catch(() => undefined)
    client?.disconnect()
  }

  async #run(script: Script, key: Buffer, args: readonly (string | Buffer)[]): Promise<unknown> {
    try {
      return await this.#send('evalsha', [script.sha, '1', key, ...args])
    } catch (thrown) {
      // The server forgets scripts when it restarts; this brings it back.
      if (!isUnknownScript(thrown)) throw thrown
      return this.#send('eval', [script.text, '1', key, ...args])
    }
  }

  async #send(name: string, args: readonly (string | Buffer)[]): Promise<unknown> {
    this.#client ??= this.#connect()
    const client = await this.#client
    try {
      // Not one of the client's own methods: they convert what is bytes on both ways.
      return await client.sendCommand(new Command(name, [...args]))
    } catch (thrown) {
      // A server that does not answer may be one that is gone without a word: the next call tries another connection.
      // And one that takes no writes was the primary before a failover: by now its name may lead to the new one.
      if (messageOf(thrown) === 'Command timed out' || messageOf(thrown).startsWith('READONLY')) this.#giveUp(client)
      throw storeError(`${this.#where}: ${name}`, thrown)
    }
  }

  async #connect(): Promise<Redis> {
    if (this.#closed) throw new PosthasteError('UNAVAILABLE', `${this.#where}: the store is closed`, { notSent: true })
    const client = newClient(this.#options)
    this.#inUse = client
    let lastError: Error | undefined
    client.on('error', (error: Error) => {
      lastError = error
    })
    try {
      await client.connect()
      // The client goes on in another database where the server refuses this one.
      if (this.#options.db !== 0) await client.select(this.#options.db)
      client.once('close', () => this.#giveUp(client))
      if (this.#closed) throw new Error('the store was closed meanwhile')
    } catch (thrown) {
      this.#giveUp(client)
      throw storeError(`${this.#where}: connecting`, lastError ?? thrown, true)
    }
    return client
  }

  /** The next call makes another connection, unless it has been made already. */
  #giveUp(client: Redis): void {
    if (this.#inUse === client) {
      this.#inUse = undefined
      this.#client = undefined
    }
    client.disconnect()
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : ''
}

function causeText(thrown: unknown): string {
  return messageOf((Object(thrown) as { readonly cause?: unknown }).cause)
}

function isUnknownScript(thrown: unknown): boolean {
  return causeText(thrown).startsWith('NOSCRIPT')
}

/** As the client says it, of a command under way. */
function isLost(thrown: unknown): boolean {
  return causeText(thrown) === 'Connection is closed.'
}

/** As the client says it, of a command that it has not sent. */
function isUnwritten(thrown: unknown): boolean {
  return causeText(thrown).startsWith("Stream isn't writeable")
}
