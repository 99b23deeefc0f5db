import type { Flow } from './flow.ts'

/** The servers that engines are measured on. */
export const serverNames = ['rabbitmq', 'kafka', 'nats', 'redis'] as const

/** A server that engines are measured on. */
export type ServerName = (typeof serverNames)[number]

/** Somebody who moves messages over a server: our bus, or the client that its engine is built on, by itself. */
export interface Contestant {
  /** Connects, to a new and empty queue, with as much durability as the server's settings and the client give. */
  open(place: Place): Promise<Opened>
}

/** Where a contestant works. */
export interface Place {
  readonly url: string
  /** Begins the name of everything that is made on the server, and of nothing else there. */
  readonly prefix: string
  /** What each message carries. */
  readonly bytes: number
  /** Most deliveries that are not acknowledged. */
  readonly window: number
  /** Whether a raw client sends the attributes, too, that the bus gives each message. */
  readonly attributes: boolean
}

/** A contestant at work: one durable queue with one group of consumers. */
export interface Opened {
  /** Publishes until the flow is over; resolves when all of it is confirmed. */
  publish(flow: Flow): Promise<void>
  /** Enters the handler with each message and acknowledges it after. Resolves when it has begun. */
  consume(handler: () => void): Promise<void>
  /** Lets go of the server, and leaves nothing on it. */
  close(): Promise<void>
}
