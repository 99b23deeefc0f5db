import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import {
  type CommandContract,
  command,
  type DataIn,
  type DataOut,
  type EventContract,
  event,
  type HandlerInput,
  type HandlerOutput,
  type MessageContract,
  type MethodInput,
  type MethodOutput,
  type ServiceContract,
  service,
  stream,
} from './contract.ts'
import type { InputOf, OutputOf, Schema } from './schema.ts'

// Checked by the compiler, never run. What users write must infer without a single annotation.

/** A schema of another vendor, written out by hand: text in, a number out. */
const numeric: Schema<string, number> = {
  '~standard': { version: 1, vendor: 'by-hand', validate: (value) => ({ value: Number(value) }) },
}
/** One that is a function, as those of arktype are, and validates later. */
const callable = Object.assign((value: string) => value, {
  '~standard': {
    version: 1,
    vendor: 'callable',
    validate: async (value: unknown) => ({ value: value as Date }),
    types: undefined as { readonly input: string; readonly output: Date } | undefined,
  } as const,
})
const order = z.object({
  orderNo: z.string().trim(),
  total: z.string().transform(Number),
  note: z.string().default(''),
})
type OrderIn = { orderNo: string; total: string; note?: string | undefined }
type OrderOut = { orderNo: string; total: number; note: string }

// ── Schemas ─────────────────────────────────────────────────────────────────────────────────────────────────────────

expectTypeOf<InputOf<typeof order>>().toEqualTypeOf<OrderIn>()
expectTypeOf<OutputOf<typeof order>>().toEqualTypeOf<OrderOut>()
expectTypeOf<InputOf<typeof numeric>>().toEqualTypeOf<string>()
expectTypeOf<OutputOf<typeof numeric>>().toEqualTypeOf<number>()
expectTypeOf<InputOf<typeof callable>>().toEqualTypeOf<string>()
expectTypeOf<OutputOf<typeof callable>>().toEqualTypeOf<Date>()
expectTypeOf<InputOf<Schema>>().toEqualTypeOf<unknown>()
expectTypeOf(order).toExtend<Schema>()
expectTypeOf(numeric).toExtend<Schema>()
expectTypeOf(callable).toExtend<Schema>()

// ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────────

const created = event('shop.order.created', {
  data: order,
  key: (data) => {
    expectTypeOf(data).toEqualTypeOf<OrderOut>()
    return data.orderNo
  },
  retention: { forMs: 1_000 },
})
expectTypeOf<DataIn<typeof created>>().toEqualTypeOf<OrderIn>()
expectTypeOf<DataOut<typeof created>>().toEqualTypeOf<OrderOut>()
expectTypeOf(created.type).toEqualTypeOf<string>()

const deduct = command('shop.stock.deduct', { data: numeric, key: (data) => data.toFixed() })
expectTypeOf<DataIn<typeof deduct>>().toEqualTypeOf<string>()
expectTypeOf<DataOut<typeof deduct>>().toEqualTypeOf<number>()

// Whoever handles contracts in general takes one of any schema, with a key and without.
expectTypeOf(created).toExtend<EventContract>()
expectTypeOf(created).toExtend<MessageContract>()
expectTypeOf(deduct).toExtend<CommandContract>()
expectTypeOf(deduct).toExtend<MessageContract>()
expectTypeOf(deduct).not.toExtend<EventContract>()
declare function on<C extends MessageContract>(contract: C, handler: (data: DataOut<C>) => void): void
on(created, (data) => expectTypeOf(data).toEqualTypeOf<OrderOut>())
on(deduct, (data) => expectTypeOf(data).toEqualTypeOf<number>())
declare function publish<S extends Schema>(contract: EventContract<S>, data: InputOf<S>): void
publish(created, { orderNo: 'o-1', total: '5' })
// @ts-expect-error the sender passes what the schema takes, not what it yields
publish(created, { orderNo: 'o-1', total: 5, note: '' })
// @ts-expect-error a command is not published
publish(deduct, '5')

// @ts-expect-error a key is text
event('shop.order.created', { data: order, key: (data) => data.total })
// @ts-expect-error a key is made of the data
event('shop.order.created', { data: order, key: (data) => data.missing })
// @ts-expect-error no such option
event('shop.order.created', { data: order, retries: 3 })
// @ts-expect-error commands are deleted when done
command('shop.stock.deduct', { data: order, retention: { forMs: 1 } })
// @ts-expect-error a schema is required
event('shop.order.created', {})
// @ts-expect-error a contract does not change
created.timeToLiveMs = 5

// ── Services ────────────────────────────────────────────────────────────────────────────────────────────────────────

const inventory = service('shop.Inventory', {
  check: { input: order, output: numeric, http: 'GET /api/stock/:orderNo', idempotent: true },
  watch: { input: numeric, output: stream(order), http: { route: 'GET /api/watch', status: 200 } },
  later: { input: z.undefined(), output: callable },
  load: { input: stream(order), output: numeric },
  trade: { input: stream(numeric), output: stream(order) },
})
type InventoryMethods = (typeof inventory)['methods']
expectTypeOf<keyof InventoryMethods>().toEqualTypeOf<'check' | 'watch' | 'later' | 'load' | 'trade'>()

expectTypeOf<MethodInput<InventoryMethods['check']>>().toEqualTypeOf<OrderIn>()
expectTypeOf<HandlerInput<InventoryMethods['check']>>().toEqualTypeOf<OrderOut>()
expectTypeOf<HandlerOutput<InventoryMethods['check']>>().toEqualTypeOf<string>()
expectTypeOf<MethodOutput<InventoryMethods['check']>>().toEqualTypeOf<number>()

expectTypeOf<MethodInput<InventoryMethods['watch']>>().toEqualTypeOf<string>()
expectTypeOf<HandlerOutput<InventoryMethods['watch']>>().toEqualTypeOf<AsyncIterable<OrderIn> | Iterable<OrderIn>>()
expectTypeOf<MethodOutput<InventoryMethods['watch']>>().toEqualTypeOf<AsyncIterable<OrderOut>>()

expectTypeOf<MethodInput<InventoryMethods['later']>>().toEqualTypeOf<undefined>()
expectTypeOf<HandlerOutput<InventoryMethods['later']>>().toEqualTypeOf<string>()
expectTypeOf<MethodOutput<InventoryMethods['later']>>().toEqualTypeOf<Date>()

expectTypeOf<MethodInput<InventoryMethods['load']>>().toEqualTypeOf<AsyncIterable<OrderIn> | Iterable<OrderIn>>()
expectTypeOf<HandlerInput<InventoryMethods['load']>>().toEqualTypeOf<AsyncIterable<OrderOut>>()
expectTypeOf<HandlerOutput<InventoryMethods['load']>>().toEqualTypeOf<string>()
expectTypeOf<MethodOutput<InventoryMethods['load']>>().toEqualTypeOf<number>()

expectTypeOf<MethodInput<InventoryMethods['trade']>>().toEqualTypeOf<AsyncIterable<string> | Iterable<string>>()
expectTypeOf<HandlerInput<InventoryMethods['trade']>>().toEqualTypeOf<AsyncIterable<number>>()
expectTypeOf<MethodOutput<InventoryMethods['trade']>>().toEqualTypeOf<AsyncIterable<OrderOut>>()

expectTypeOf(inventory).toExtend<ServiceContract>()

/** What clients and servers derive from a service. */
type ClientOf<S extends ServiceContract> = {
  readonly [M in keyof S['methods']]: (input: MethodInput<S['methods'][M]>) => Promise<MethodOutput<S['methods'][M]>>
}
type HandlersOf<S extends ServiceContract> = {
  readonly [M in keyof S['methods']]: (input: HandlerInput<S['methods'][M]>) => HandlerOutput<S['methods'][M]>
}
declare const client: ClientOf<typeof inventory>
expectTypeOf(client.check({ orderNo: 'o-1', total: '5' })).resolves.toEqualTypeOf<number>()
expectTypeOf(client.watch('5')).resolves.toEqualTypeOf<AsyncIterable<OrderOut>>()
// @ts-expect-error no such method
client.missing('5')
const handlers: HandlersOf<typeof inventory> = {
  check: (input) => {
    expectTypeOf(input).toEqualTypeOf<OrderOut>()
    return '5'
  },
  async *watch(input) {
    expectTypeOf(input).toEqualTypeOf<number>()
    yield { orderNo: 'o-1', total: '5' }
  },
  later: () => '2026-11-21',
  load: (items) => {
    expectTypeOf(items).toEqualTypeOf<AsyncIterable<OrderOut>>()
    return '5'
  },
  *trade() {
    yield { orderNo: 'o-1', total: '5' }
  },
}
expectTypeOf(handlers.check).returns.toEqualTypeOf<string>()

// @ts-expect-error a method has an output
service('shop.Inventory', { check: { input: order } })
// @ts-expect-error a stream is of a schema
service('shop.Inventory', { watch: { input: order, output: stream(7) } })
// @ts-expect-error a format writes inputs and outputs
service('shop.Inventory', { check: { input: order, output: order, formats: [{ input: undefined }] } })
