import { resolve } from 'node:path'
import { command } from '../command/command.ts'
import { flag, integer, text, texts } from '../command/options.ts'
import { contentOf } from '../engine/engine-command.ts'
import type { Io } from '../io.ts'

const healthPortDefault = 7_421

/** `posthaste broker` */
export const broker = command({
  name: 'broker',
  about: 'Runs a broker: one process that owns an embedded engine and serves it over link',
  details: [
    'What options do not say, the environment says (POSTHASTE_BROKER_DATA_DIR, POSTHASTE_BROKER_LISTEN, …), and what that does not, the configuration file. Everything is checked before anything starts. Users, rights, limits and TLS stand in the file.',
    'Ctrl-C ends it in order: nothing new is taken, and clients have time to end what they do. A second one ends it at once; what was confirmed stands.',
  ],
  args: {},
  options: {
    config: text('The configuration file, JSON', {
      value: 'file',
      completes: 'file',
      variable: 'POSTHASTE_BROKER_CONFIG',
    }),
    data: text('Directory of the data; made if it does not exist', { value: 'directory', completes: 'directory' }),
    listen: texts('Where it listens: link://127.0.0.1:7420, links://host:port, link+unix:///path', { value: 'url' }),
    'health-port': integer('Port of the health endpoint on loopback; 0: any free one', {
      ...{ min: 0, max: 65_535 },
      fallback: healthPortDefault,
    }),
    insecure: flag('Allows to listen beyond this machine without users, or without TLS'),
    json: flag('Answers in JSON, and logs in it'),
    debug: flag('Tells everything, and the stack of an error'),
  },
  examples: ['posthaste broker --data ./data', 'posthaste broker --config /etc/posthaste/broker.json'],
  async run(_, options, { io, print }) {
    // The program that most commands are not: loaded when it is asked for.
    const [{ configOf, startBroker }, { consoleLog }] = await Promise.all([
      import('@posthaste/broker-service'),
      import('posthaste'),
    ])
    const file = options.config === undefined ? undefined : await contentOf(options.config)
    const config = configOf(file, environmentOf(options, io.env), options.config)
    const level = options.debug ? 'debug' : 'info'
    const write = (line: string): unknown => io.err.write(line)
    const format = options.json || !io.err.isTerminal ? 'json' : 'text'
    const running = await startBroker(config, {
      clock: io.clock,
      log: consoleLog({ level, format, write, clock: io.clock }),
    })
    const { urls, healthUrl } = running
    await print.item({
      json: { urls, healthUrl: healthUrl ?? null },
      text: () =>
        `the broker listens on ${urls.join(', ')}${healthUrl === undefined ? '' : `; health: ${healthUrl}`}\n`,
    })
    const failure = await Promise.race([running.failed, enough(io)])
    await running.stop()
    if (failure !== undefined) throw failure
    return 0
  },
})

interface Given {
  readonly data: string | undefined
  readonly listen: readonly string[]
  readonly 'health-port': number
  readonly insecure: boolean
}

/** What options say goes before what the environment says, in whose words the broker reads both. */
function environmentOf(given: Given, env: Io['env']): Io['env'] {
  const { POSTHASTE_BROKER_CONFIG: _, ...rest } = env
  const { data, listen, insecure } = given
  const port = given['health-port']
  return {
    ...rest,
    // Clients that ask for a copy are told its whole path.
    ...(data !== undefined && { POSTHASTE_BROKER_DATA_DIR: resolve(data) }),
    ...(listen.length > 0 && { POSTHASTE_BROKER_LISTEN: listen.join(',') }),
    ...(port !== healthPortDefault && { POSTHASTE_BROKER_HEALTH_PORT: String(port) }),
    ...(insecure && { POSTHASTE_BROKER_INSECURE: 'true' }),
  }
}

function enough({ signal }: Io): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined))
  })
}
