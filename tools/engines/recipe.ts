import type { Certificates } from './tls.ts'

/** The servers that can be started, by the names they are asked for by. */
export const serverNames = ['rabbitmq', 'kafka', 'nats', 'nats-2.9', 'redis', 'broker'] as const
export type ServerName = (typeof serverNames)[number]

/** Which kind of server it is: what the URL and the protocol depend on. */
export type EngineKind = 'rabbitmq' | 'kafka' | 'nats' | 'redis' | 'broker'

/** The ports of one server, by what they are for. */
export type Ports = Readonly<Record<string, number>> & { readonly main: number }

/** A user with a password, for the port with TLS. */
export interface Credentials {
  readonly username: string
  readonly password: string
}

/** Where one server is to run. */
export interface Place {
  readonly name: string
  /** Configuration, data and log: everything the server writes. */
  readonly dir: string
  readonly ports: Ports
  /** Absent: no port with TLS. */
  readonly tls?: Certificates | undefined
  readonly credentials: Credentials
}

/** One process to start: always an executable and its arguments, never a shell. */
export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Must accept connections before the next process is started. */
  readonly listensOn: number
}

/** A server that is ready to be started. */
export interface Prepared {
  readonly launches: readonly [Launch, ...Launch[]]
  readonly url: string
  readonly tlsUrl?: string | undefined
}

/** What has to be installed for a server: where its program stands. */
export interface Program {
  /** An executable, or for the Java ones the folder of the jars. */
  readonly path: string
  /** What there is to be said about it, e.g. that it is an older version than was looked for. */
  readonly note?: string | undefined
}

/** How one kind of server is found, configured, started and asked whether it is ready. */
export interface Recipe {
  readonly name: ServerName
  readonly kind: EngineKind
  /** Taken if they are free; not the standard ones, so that nobody's own server is met by accident. */
  readonly ports: Ports
  /**
   * Finds the program, or installs it with the package clients of this machine.
   * @throws Error with a remedy
   */
  find(): Promise<Program>
  /** Writes the configuration anew; data of an earlier start stays. */
  prepare(program: Program, place: Place): Promise<Prepared>
  /**
   * Speaks the protocol until the server has answered a request that needs all of it, and gives its version.
   * As the user that the URL names, if it names one.
   * @throws Error when it is not ready (yet)
   */
  probe(url: URL): Promise<string>
}
