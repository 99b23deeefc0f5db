import { readFile } from 'node:fs/promises'
import { type Engine, type EngineHost, type Log, PosthasteError } from '@posthaste/contracts'
import { type Command, type CommandSpec, command, type Surroundings } from '../command/command.ts'
import { flag, type Options, text, type Values } from '../command/options.ts'
import type { Io } from '../io.ts'
import { orInterrupted } from '../waiting.ts'
import type { EngineWanted, TlsWanted } from './url.ts'

/** How an engine is named, the same for all commands. */
export const engineOptions = {
  engine: text('URL of the engine: embedded:./data, link://host, amqp://…, kafka://…, nats://…, redis://…', {
    value: 'url',
    variable: 'POSTHASTE_ENGINE',
  }),
  prefix: text('Begins all names on a server that others use, too', { value: 'text', variable: 'POSTHASTE_PREFIX' }),
  token: text('Proves to a broker who you are', { value: 'text', variable: 'POSTHASTE_TOKEN' }),
  'tls-ca': text('Certificates to trust, PEM', { value: 'file', completes: 'file' }),
  'tls-cert': text('Your certificate, PEM', { value: 'file', completes: 'file' }),
  'tls-key': text('The key of your certificate, PEM', { value: 'file', completes: 'file' }),
  json: flag('Answers in JSON'),
  debug: flag('Tells everything, and the stack of an error'),
}

type EngineOptions = typeof engineOptions

/** What a command on an engine is run with. */
export interface EngineSurroundings extends Surroundings {
  /** Open, and with all that the core completes. */
  readonly engine: Engine
  /** As the user has named the engine. It may hold a password. */
  readonly url: string
  readonly log: Log
  /** Names this program among the members of a group. */
  readonly instance: string
}

/** A command on an engine: its own options, and those that name the engine. */
export interface EngineCommandSpec<A extends Options, O extends Options>
  extends Omit<CommandSpec<A, O & EngineOptions>, 'run' | 'options'> {
  readonly options: O
  /** Whether it makes a data directory that does not exist. Default: never. */
  readonly mayCreate?: (options: Values<O>) => boolean
  run(args: Values<A>, options: Values<O>, around: EngineSurroundings): Promise<number | undefined>
}

/** Makes a command that opens the engine before it runs and closes it after it. */
export function engineCommand<A extends Options, O extends Options>(spec: EngineCommandSpec<A, O>): Command {
  const { mayCreate = () => false } = spec
  const options = { ...spec.options, ...engineOptions }
  return command<A, typeof options>({
    ...spec,
    options,
    run: async (args, values, around) => {
      const own = values as unknown as Values<O>
      const shared = values as unknown as Values<EngineOptions>
      const wanted = await wantedOf(shared, mayCreate(own))
      const { io } = around
      // Whoever asks for help, or mistypes, waits for none of the core.
      const [{ complete }, log] = await Promise.all([import('posthaste/bus'), logTo(io, { isDebug: shared.debug })])
      const instance = `posthaste-cli-${crypto.randomUUID().slice(0, 8)}`
      const engine = complete(await around.connect(wanted))
      try {
        await patiently(orInterrupted(engine.open(hostOf({ io, log, instance })), io.signal), io)
        return await spec.run(args, own, { ...around, engine, url: wanted.url, log, instance })
      } finally {
        await engine.close()
      }
    },
  })
}

/** From here on somebody who looks at a terminal wonders. */
const quietMs = 2_000

async function patiently(opened: Promise<void>, { err, clock }: Io): Promise<void> {
  if (!err.isTerminal) return opened
  const timer = clock.setTimer(
    quietMs,
    () => void err.write('the engine does not answer yet; Ctrl-C ends the waiting\n'),
  )
  await opened.finally(() => timer.cancel())
}

async function wantedOf(options: Values<EngineOptions>, mayCreate: boolean): Promise<EngineWanted> {
  const { engine: url, prefix, token } = options
  if (url === undefined) {
    throw new PosthasteError('INVALID_ARGUMENT', 'no engine is named', {
      remedy:
        'Give --engine <url>, or set POSTHASTE_ENGINE: embedded:./data, link://host, amqp://host, kafka://host, …',
    })
  }
  return { url, prefix, token, tls: await tlsOf(options), mayCreate }
}

async function tlsOf(options: Values<EngineOptions>): Promise<TlsWanted | undefined> {
  const files = { ca: options['tls-ca'], cert: options['tls-cert'], key: options['tls-key'] }
  const given = Object.entries(files).filter((entry): entry is [keyof TlsWanted, string] => entry[1] !== undefined)
  if (given.length === 0) return undefined
  const read = given.map(async ([name, path]) => [name, await contentOf(path)] as const)
  return Object.fromEntries(await Promise.all(read))
}

/**
 * The text of a file that the user has named.
 * @throws NOT_FOUND where it cannot be read
 */
export async function contentOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const message = `the file ${path} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`
    throw new PosthasteError('NOT_FOUND', message, { cause })
  }
}

async function logTo({ err, clock }: Io, { isDebug }: { isDebug: boolean }): Promise<Log> {
  const { consoleLog } = await import('posthaste')
  const write = (line: string): unknown => err.write(line)
  return consoleLog({ level: isDebug ? 'debug' : 'error', format: 'text', write, clock })
}

function hostOf({ io, log, instance }: { io: Io; log: Log; instance: string }): EngineHost {
  let wasLost = false
  return {
    clock: io.clock,
    log,
    instance,
    random: systemRandom,
    onState(state, cause) {
      if (state === 'lost') void io.err.write(`the engine is away: ${cause?.message ?? 'no cause is known'}\n`)
      else if (wasLost && state === 'connected') void io.err.write('the engine is back\n')
      wasLost = state === 'lost'
    },
  }
}

/** For jitter. */
function systemRandom(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32
}
