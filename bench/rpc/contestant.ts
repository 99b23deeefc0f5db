import { Order, ordersOf, Watch } from './order.ts'

/** One way to make calls: a server in one process, callers in another. */
export interface Contestant {
  /** Starts the server. @returns where it is, as its `connect` takes it */
  serve(): Promise<string>
  connect(at: string): Promise<Caller>
  /** Ends what it has begun, where the process is to go on. */
  close?(): Promise<void>
}

/** The client's half. */
export interface Caller {
  echo(order: Order): Promise<Order>
  /** Orders as a stream, where the contestant has streams. */
  watch?(watch: Watch): AsyncIterable<Order>
}

/*
 * Ours checks the input on both sides and the output on both sides. Whoever does not is handed the same checks, at the same
 * places, by these.
 */

/** What a server of others does with a call. */
export async function echoed(input: unknown): Promise<Order> {
  const order = Order.parse(input)
  return Order.parse(await echo(order))
}

/** The handler: as asynchronous as one that asks somebody. */
export async function echo(order: Order): Promise<Order> {
  return order
}

/** What a server of others does with a call for a stream. */
export async function* watched(input: unknown): AsyncGenerator<Order> {
  for await (const order of ordersOf(Watch.parse(input))) yield Order.parse(order)
}

/** A caller of others, with the checks of a client. */
export function checked(caller: {
  readonly echo: (order: Order) => Promise<unknown>
  readonly watch?: (watch: Watch) => AsyncIterable<unknown>
}): Caller {
  const { watch } = caller
  return {
    echo: async (order) => Order.parse(await caller.echo(Order.parse(order))),
    ...(watch && {
      async *watch(asked: Watch) {
        for await (const order of watch(Watch.parse(asked))) yield Order.parse(order)
      },
    }),
  }
}
