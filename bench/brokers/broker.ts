/** A message broker that the same work is given to, through the client that its makers recommend and nothing around it. */
export interface Broker {
  /** As in the table, settings included: `RabbitMQ, quorum queue`. */
  readonly name: string
  /** Why it cannot be measured here, or undefined if it can: `not installed`. */
  missing(): string | undefined
  /** Starts a server of its own on a free port of the loopback interface, with its data in the directory. */
  start(dir: string): Promise<RunningBroker>
}

/** A server that was started to be measured. */
export interface RunningBroker {
  /** As the server says. */
  readonly version: string
  /** Connects, to a new and empty queue. */
  open(): Promise<BrokerQueue>
  stop(): Promise<void>
}

/** One durable queue with one group of consumers. */
export interface BrokerQueue {
  /** Resolves when the broker has confirmed it. */
  publish(body: Buffer): Promise<unknown>
  /** Enters the handler with each message and acknowledges it after; at most so many are on their way to it. */
  consume(handler: () => void, prefetch: number): Promise<void>
  /** Whether everything that was published is acknowledged, as the broker knows it. */
  isDone(): Promise<boolean>
  close(): Promise<void>
}
