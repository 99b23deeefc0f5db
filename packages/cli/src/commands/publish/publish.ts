import { type ChannelSpec, PosthasteError } from '@posthaste/contracts'
import { messageIds } from 'posthaste/pipeline'
import { choice, duration, flag, integer, requiredText, someInteger, text, texts, time } from '../../command/options.ts'
import { type EngineSurroundings, engineCommand } from '../../engine/engine-command.ts'
import { counted } from '../../output/units.ts'
import { now } from '../now.ts'
import { composer, type Said } from './compose.ts'
import { inputOf, linesOf, wholeOf } from './input.ts'
import { Sending } from './sending.ts'

/** `posthaste publish` */
export const publish = engineCommand({
  name: 'publish',
  about: 'Publishes one message, or one for each line',
  details: [
    'The data is taken from the command line, from a file, or else from standard input, and is JSON unless --content-type says otherwise. It is published as it is: the contract, whose schema and key function an application would apply, is not known here, so give the --key of a keyed channel.',
    'With --ndjson each line is the data of one message; with --records each is a message as tail --json prints it, with its own id, key and headers. A message that is not confirmed is told of on standard error with its line, and the exit code is 1.',
  ],
  args: {
    channel: requiredText('The channel', { value: 'channel' }),
    data: text('The data; from --file or standard input if absent', { value: 'data' }),
  },
  options: {
    file: text('Takes the data from a file', { value: 'file', completes: 'file' }),
    ndjson: flag('Each line is the data of a message'),
    records: flag('Each line is a whole message, as tail --json prints it'),
    key: text('The ordering key', { value: 'key' }),
    id: text('The id; whoever repeats a message repeats it. Default: a new one', { value: 'id' }),
    header: texts('An attribute of CloudEvents, or an extension', { value: 'name=value' }),
    'content-type': text('What the data is, where it is not JSON', { value: 'type' }),
    delay: duration('Is delivered so much later'),
    at: time('Is delivered at this time: 2026-01-31T09:30:00Z, or +10m', now),
    ttl: duration('Is worth nothing after so much time'),
    priority: someInteger('Higher ones are delivered first', { min: 0, max: 255 }),
    declare: choice('Makes the channel, if it does not exist', ['log', 'queue']),
    keyed: flag('With --declare: messages have keys that keep their order'),
    keep: duration('With --declare log: keeps messages so long, whether or not they are done'),
    'in-flight': integer('Most batches of 500 that wait for their confirmation', { min: 1, max: 64, fallback: 4 }),
  },
  examples: [
    `posthaste publish shop.order.created '{"orderNo":"4711"}' --key 4711`,
    'posthaste publish shop.stock.deduct --file deduct.json --delay 10m',
    'posthaste publish shop.order.created --ndjson < orders.ndjson',
  ],
  mayCreate: ({ declare }) => declare !== undefined,
  async run({ channel, data }, options, around) {
    const { io, engine } = around
    const { ndjson, records, file } = options
    const isMany = ndjson || records
    const said = saidOf(options, isMany)
    if (data !== undefined && (file !== undefined || isMany)) refuse('both data and where to take it from are given')
    if (ndjson && records) refuse('--ndjson and --records exclude each other')
    const { declare: kind, keyed, keep } = options
    if (keyed && kind === undefined) refuse('--keyed is for --declare')
    if (keep !== undefined && kind !== 'log') refuse('--keep is for --declare log')
    const retention = keep === undefined ? undefined : { forMs: keep }
    if (said.dueAtMs !== undefined && engine.capabilities.delay === 'none') {
      throw new PosthasteError('CAPABILITY_UNSUPPORTED', `the engine ${engine.name} cannot deliver later`)
    }
    if (kind !== undefined) await declareChannel({ name: channel, kind, keyed, retention }, around)
    const newId = messageIds(io.clock)
    const compose = composer({ channel, said, nowMs: now(), newId })
    if (!isMany) {
      const body = data === undefined ? await wholeOf(inputOf(file, io)) : Buffer.from(data)
      return publishOne(compose.data(body), around)
    }
    const lines = linesOf(inputOf(file, io))
    const make = records ? compose.record : compose.data
    return publishAll({ channel, lines, make, inFlightMax: options['in-flight'] }, around)
  },
})

function refuse(message: string): never {
  throw new PosthasteError('INVALID_ARGUMENT', `publish: ${message}`, { remedy: 'See posthaste help publish.' })
}

interface SaidOptions {
  readonly key: string | undefined
  readonly id: string | undefined
  readonly header: readonly string[]
  readonly 'content-type': string | undefined
  readonly delay: number | undefined
  readonly at: number | undefined
  readonly ttl: number | undefined
  readonly priority: number | undefined
}

function saidOf(options: SaidOptions, isMany: boolean): Said {
  const { key, id, header, delay, at, ttl, priority } = options
  if (id !== undefined && isMany) refuse('--id names one message, and there are many')
  if (delay !== undefined && at !== undefined) refuse('--delay and --at exclude each other')
  const dueAtMs = delay === undefined ? at : now() + delay
  const expiresAtMs = ttl === undefined ? undefined : (dueAtMs ?? now()) + ttl
  return { key, id, header, contentType: options['content-type'], dueAtMs, expiresAtMs, priority }
}

/** What exists with other settings stays as it is; that it is other than wanted is said. */
async function declareChannel(spec: ChannelSpec, { engine, print }: EngineSurroundings): Promise<void> {
  if (spec.retention !== undefined && engine.capabilities.history === 'none') {
    throw new PosthasteError('CAPABILITY_UNSUPPORTED', `the engine ${engine.name} keeps no messages that are done`, {
      remedy: 'Leave --keep out.',
    })
  }
  const { drift, created } = await engine.declare({ channels: [spec], groups: [] })
  const keepsNothing = spec.kind === 'log' && spec.retention === undefined && engine.capabilities.history !== 'none'
  if (keepsNothing && created.includes(spec.name)) {
    await print.note(`${spec.name} keeps only what its groups still need, and has none yet; --keep 7d would keep more`)
  }
  if (drift.length === 0) return
  const told = drift.map(({ setting, wanted, found }) => `${setting} is to be ${wanted}, but is ${found}`).join('; ')
  throw new PosthasteError('TOPOLOGY_DRIFT', `${spec.name}: ${told}`, { remedy: 'Leave --declare out.' })
}

type Composed = ReturnType<ReturnType<typeof composer>['data']>

async function publishOne(record: Composed, { engine, print }: EngineSurroundings): Promise<number> {
  const [outcome] = await engine.publish([record])
  const { id, channel } = record
  if (outcome?.ok !== true) throw refusalOf(outcome?.error, channel)
  await print.answer({ json: { channel, id, published: 1, failed: 0 }, text: () => `${id}\n` })
  return 0
}

function refusalOf(error: PosthasteError | undefined, channel: string): PosthasteError {
  if (error === undefined) return new PosthasteError('UNAVAILABLE', 'the engine did not answer')
  if (error.code !== 'NOT_FOUND') return error
  const remedy = 'Correct the name, or make the channel with --declare log or --declare queue.'
  return new PosthasteError('NOT_FOUND', `there is no channel ${channel}`, { cause: error, remedy })
}

interface Many {
  readonly channel: string
  readonly lines: AsyncIterable<{ readonly number: number; readonly text: string }>
  readonly make: (text: string) => Composed
  readonly inFlightMax: number
}

async function publishAll({ channel, lines, make, inFlightMax }: Many, around: EngineSurroundings): Promise<number> {
  const { engine, print, io } = around
  const sending = new Sending(engine, {
    inFlightMax,
    onFailed: (line, error) => print.note(`line ${line}: ${error.message}`),
  })
  for await (const { number, text } of lines) {
    if (io.signal.aborted) break
    await sending.add(number, () => make(text))
  }
  const { published, failed } = await sending.end()
  await print.answer({
    json: { channel, published, failed },
    text: () =>
      `${counted(published, 'message')} published${failed === 0 ? '' : `, ${counted(failed, 'line')} failed`}\n`,
  })
  if (failed > 0) return 1
  return io.signal.aborted ? 130 : 0
}
