import type { Codec } from './codec.ts'
import { messageMistakes, patternMistakes, refuse, serviceMistakes } from './contract-check.ts'
import type { InputOf, OutputOf, Schema } from './schema.ts'

/** How long an event stays readable for groups that come later. Without a bound, only while a group still needs it. */
export interface Retention {
  /** Keep each event at least this long, in milliseconds. */
  readonly forMs?: number
  /** Keep at most this many bytes of the newest events; events a group still needs are never dropped for it. */
  readonly bytesMax?: number
}

/**
 * Names the ordering key of a message. Written as a method, because those are compared bivariantly: a contract for orders
 * is then also a {@link MessageContract} of anything, which whoever handles contracts in general relies on.
 */
export type KeyOf<Data> = { of(data: Data): string }['of']

/** What a contract for messages says beside its type. */
export interface MessageOptions<S extends Schema> {
  /** Anything that implements Standard Schema. Checked when publishing and again when consuming. */
  readonly data: S
  /**
   * The ordering key: 1 to 1,024 bytes as UTF-8. Messages of one key are handled in the order they were published, one at
   * a time, in every group, retries included; messages without a key have no order.
   *
   * Called once per message, by the publisher, and with the validated data (what the schema yields, not what was passed
   * in), so that `' A1 '` and `'a1'` have one key if the schema trims and lowers them. Must depend on the data alone.
   */
  readonly key?: KeyOf<OutputOf<S>> | undefined
  /** For people: appears in the console and in generated documents. */
  readonly description?: string | undefined
  /** Milliseconds after publishing at which the message is worth nothing: it is not handled any more. */
  readonly timeToLiveMs?: number | undefined
  /** How data is written; what is read is decided by each message's content type. JSON if absent. */
  readonly codec?: Codec | undefined
  /** Version of the data's schema, a whole number from 1 (the default); travels with each message as `dataversion`. */
  readonly version?: number | undefined
  /**
   * What lifts data of an older version to the next, by the older version's number: `{ 1: (old) => ({ ...old, currency:
   * 'EUR' }) }`. Applied one after the other up to `version`, before the schema checks. A message of a version that has no
   * upcaster, or of a newer one, is taken as it is if the schema accepts it.
   */
  readonly upcasters?: Upcasters | undefined
  /** Levels of priority, 1 (the default) to 10. Excludes `key`. */
  readonly priorities?: number | undefined
  /** For this many milliseconds, a message that is published again under the same id is confirmed and dropped. Default: never. */
  readonly deduplicateForMs?: number | undefined
}

/** What lifts data to the next version, by the number of the older one. Must be pure; what it throws refuses the message. */
export type Upcasters = Readonly<Record<number, (data: unknown) => unknown>>

/** What a command's contract says beside its type. */
export interface CommandOptions<S extends Schema, R extends Schema | undefined = Schema | undefined>
  extends MessageOptions<S> {
  /** What its handler answers, for those who `request` instead of `send`. */
  readonly reply?: R
}

/** What an event's contract says beside its type. */
export interface EventOptions<S extends Schema> extends MessageOptions<S> {
  readonly retention?: Retention | undefined
}

/** A fact that happened. Any number of groups subscribe; each sees every event. */
export interface EventContract<S extends Schema = Schema> extends EventOptions<S> {
  readonly kind: 'event'
  /** CloudEvents `type`, and the name of the channel. */
  readonly type: string
}

/** Work to be done. One handler, however many instances of it run. Deleted when done. */
export interface CommandContract<S extends Schema = Schema, R extends Schema | undefined = Schema | undefined>
  extends CommandOptions<S, R> {
  readonly kind: 'command'
  /** CloudEvents `type`, and the name of the channel. */
  readonly type: string
}

/** A contract for messages of either kind. */
export type MessageContract<S extends Schema = Schema> = EventContract<S> | CommandContract<S>

/** A command that is answered. */
export type RequestContract<S extends Schema = Schema, R extends Schema = Schema> = CommandContract<S, R> & {
  readonly reply: R
}

/** What whoever requests receives: what the reply's schema yields. */
export type ReplyOut<C extends RequestContract> = OutputOf<C['reply']>

/** What a request's handler returns, before the reply's schema is applied. */
export type ReplyIn<C extends RequestContract> = InputOf<C['reply']>

/** All events whose type matches a pattern, for one handler. */
export interface EventPattern<S extends Schema = Schema> {
  readonly kind: 'pattern'
  /** Dotted words, of which `*` stands for one, and a `**` at the end for one or more. */
  readonly pattern: string
  /** What all of them fit. */
  readonly data: S
  /** For people. */
  readonly description?: string | undefined
}

/** What whoever publishes a message passes. */
export type DataIn<C extends MessageContract> = InputOf<C['data']>

/** What whoever handles a message receives. */
export type DataOut<C extends MessageContract | EventPattern> = OutputOf<C['data']>

/** Marks a method's input or output as a stream of values instead of one. */
export interface StreamOf<S extends Schema = Schema> {
  readonly stream: S
}

/** A stream of values of the given schema, as the input or the output of a method. Each value is checked by itself. */
export function stream<const S extends Schema>(schema: S): StreamOf<S> {
  return Object.freeze({ stream: schema })
}

/** Whether an input or an output is a stream. */
export function isStream(part: Schema | StreamOf): part is StreamOf {
  return 'stream' in part && !('~standard' in part)
}

/** The schema of an input or an output: of the one value, or of each item of the stream. */
export function schemaOf(part: Schema | StreamOf): Schema {
  return isStream(part) ? part.stream : part
}

/** Whether a method has a stream on either side, so that only transports that carry streams can carry it. */
export function isStreaming({ input, output }: Pick<MethodContract, 'input' | 'output'>): boolean {
  return isStream(input) || isStream(output)
}

/** A stream as whoever makes it may pass it on: an async generator, a generator, an array. Strings are none. */
export type StreamSource<T> = AsyncIterable<T> | Iterable<T>

/**
 * A format that a method's values are written in beside those that every transport knows, for formats that need a schema of
 * their own, such as protobuf. Of a stream, each item is written by itself.
 */
export interface MethodFormat {
  /** Writes and reads inputs. */
  readonly input: Codec
  /** Writes and reads outputs; of the same content type. */
  readonly output: Codec
}

/** Where a method is found over REST. `POST /api/orders` alone means status 200. */
export interface HttpRoute {
  /** Method and path; `:name` segments become fields of the input: `GET /api/stock/:productId`. */
  readonly route: string
  /** Status of a successful answer, 200 to 299. Defaults to 200, or 204 where the output is undefined. */
  readonly status?: number
}

/** One method of a service: unary, or with a stream as its input, its output or both. */
export interface MethodContract<
  I extends Schema | StreamOf = Schema | StreamOf,
  O extends Schema | StreamOf = Schema | StreamOf,
> {
  readonly input: I
  readonly output: O
  /**
   * The REST route. Path parameters, then query parameters (GET, HEAD, DELETE) or the fields of a JSON body (others)
   * make up the input; path and query values are text, so coerce numbers in the schema.
   */
  readonly http?: string | HttpRoute | undefined
  /** Whether a repetition does no harm. Only such methods are retried once a request may have reached the callee. */
  readonly idempotent?: boolean | undefined
  /**
   * Formats of the method's own, the preferred one first and each content type once. They go before what a transport has
   * for the same content type; which one a call is written in is for the transport to find out with the other side.
   */
  readonly formats?: readonly MethodFormat[] | undefined
  /** For people: appears in generated documents. */
  readonly description?: string | undefined
}

/** The methods of a service by name. */
export type Methods = Readonly<Record<string, MethodContract>>

/** A set of calls that one party serves and others make. */
export interface ServiceContract<M extends Methods = Methods> {
  readonly kind: 'service'
  /** Dotted name, as in protobuf: `shop.Inventory`. */
  readonly name: string
  readonly methods: M
}

/** What a caller passes to a method: a value, or what can be iterated where the input is a stream. */
export type MethodInput<M extends MethodContract> =
  M['input'] extends StreamOf<infer S> ? StreamSource<InputOf<S>> : InputOf<Extract<M['input'], Schema>>

/** What a caller receives from a method: a value, or an async iterable where the output is a stream. */
export type MethodOutput<M extends MethodContract> =
  M['output'] extends StreamOf<infer S> ? AsyncIterable<OutputOf<S>> : OutputOf<Extract<M['output'], Schema>>

/** What a handler receives: the validated input, or an async iterable of validated items where the input is a stream. */
export type HandlerInput<M extends MethodContract> =
  M['input'] extends StreamOf<infer S> ? AsyncIterable<OutputOf<S>> : OutputOf<Extract<M['input'], Schema>>

/** What a handler returns, before the output schema is applied: a value, or what can be iterated where it is a stream. */
export type HandlerOutput<M extends MethodContract> =
  M['output'] extends StreamOf<infer S> ? StreamSource<InputOf<S>> : InputOf<Extract<M['output'], Schema>>

/**
 * Declares an event: a fact that any number of groups may follow.
 *
 * @param type dotted name such as `shop.order.created`; becomes the CloudEvents `type` and the channel's name
 * @throws CONTRACT_INVALID when the type or an option is malformed
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#type
 */
export function event<const S extends Schema>(type: string, options: EventOptions<S>): EventContract<S> {
  refuse(`event '${type}'`, messageMistakes(type, options, [...messageOptionNames, 'retention']))
  const retention = options.retention && { retention: Object.freeze({ ...options.retention }) }
  return Object.freeze({ ...frozenOptions(options), ...retention, kind: 'event', type })
}

/**
 * Declares a command: work for exactly one handler.
 *
 * @param type dotted name such as `shop.stock.deduct`; becomes the CloudEvents `type` and the channel's name
 * @throws CONTRACT_INVALID when the type or an option is malformed
 */
export function command<const S extends Schema, const R extends Schema>(
  type: string,
  options: CommandOptions<S, R> & { readonly reply: R },
): RequestContract<S, R>
export function command<const S extends Schema>(
  type: string,
  options: CommandOptions<S, undefined>,
): CommandContract<S, undefined>
export function command(type: string, options: CommandOptions<Schema>): CommandContract {
  refuse(`command '${type}'`, messageMistakes(type, options, [...messageOptionNames, 'reply']))
  return Object.freeze({ ...frozenOptions(options), kind: 'command', type })
}

const messageOptionNames = [
  ...['data', 'key', 'description', 'timeToLiveMs', 'codec', 'version', 'upcasters', 'priorities', 'deduplicateForMs'],
]

/** A copy that nobody can change, so that what was checked stays true. */
function frozenOptions<O extends MessageOptions<Schema>>(options: O): O {
  return options.upcasters === undefined ? options : { ...options, upcasters: Object.freeze({ ...options.upcasters }) }
}

/**
 * All events whose type matches a pattern: `shop.order.*` (one word) or `shop.**` (one or more). For handlers only.
 *
 * @throws CONTRACT_INVALID when the pattern or an option is malformed
 */
export function events<const S extends Schema>(
  pattern: string,
  options: Pick<EventPattern<S>, 'data' | 'description'>,
): EventPattern<S> {
  refuse(`events '${pattern}'`, patternMistakes(pattern, options))
  return Object.freeze({ ...options, kind: 'pattern', pattern })
}

/**
 * Declares a service: a set of methods, unary or streaming.
 *
 * @param name dotted name such as `shop.Inventory`
 * @throws CONTRACT_INVALID when a name or a route is malformed
 */
export function service<const M extends Methods>(name: string, methods: M): ServiceContract<M> {
  refuse(`service '${name}'`, serviceMistakes(name, methods))
  const own = Object.entries(methods).map(([method, contract]) => [method, frozenMethod(contract)])
  return Object.freeze({ kind: 'service', name, methods: Object.freeze(Object.fromEntries(own)) as M })
}

/** A copy that nobody can change, so that what was checked stays true. */
function frozenMethod(contract: MethodContract): MethodContract {
  const http = typeof contract.http === 'object' ? Object.freeze({ ...contract.http }) : contract.http
  const formats = contract.formats && Object.freeze(contract.formats.map((format) => Object.freeze({ ...format })))
  return Object.freeze({ ...contract, ...(http !== undefined && { http }), ...(formats && { formats }) })
}

/** A route in its parts. */
export interface ParsedRoute {
  /** Upper-case HTTP method. */
  readonly method: string
  /** Path that begins with a slash and may hold `:name` segments. */
  readonly path: string
  readonly status: number | undefined
}

/** A method's route in its parts, or undefined where it has none. */
export function routeOf(method: MethodContract): ParsedRoute | undefined {
  if (method.http === undefined) return undefined
  const { route, status } = typeof method.http === 'string' ? { route: method.http, status: undefined } : method.http
  const [verb = '', path = ''] = route.split(' ')
  return { method: verb, path, status }
}
