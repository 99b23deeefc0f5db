import type { Command } from '../src/command/command.ts'
import { spelled, synopsis, told } from '../src/command/usage.ts'
import { commands } from '../src/commands/commands.ts'
import { engineOptions } from '../src/engine/engine-command.ts'
import { exitCodes } from '../src/exit-codes.ts'

/** What the page of the command says that commands do not say themselves. */
const introduction = `# The posthaste command

\`posthaste\` runs a broker, and looks into any engine: what stands there, how far groups are behind, what has died, and how to
set it right. \`posthaste help <command>\` says what stands here.

    posthaste <command> [arguments] [options]

Answers go to standard output, as tables for people and with \`--json\` as one JSON document (\`tail\`: one line for each message);
errors, questions and what is only to be known go to standard error. Colours are for terminals alone, and \`NO_COLOR\` takes
them away. An error is \`[CODE] what happened\` and, on the next line, what to do about it; the codes are
[these](errors.md). Passwords and tokens are shown nowhere. Ctrl-C ends a command in order, a second one at once; a pipe that
nobody reads any more ends it quietly.

Spans of time are written \`500ms\`, \`10s\`, \`5m\`, \`2h\`, \`7d\`; points in time \`2026-01-31T09:30:00Z\`, or as a span before or after now:
\`-10m\`, \`+2h\`.`

const engineIntroduction = `## The engine

Every command but \`broker\`, \`hash-token\`, \`completion\`, \`help\` and \`version\` works on an engine, and has these options.

| URL | engine |
|---|---|
| \`embedded:./data\`, \`embedded:/var/data\` | the embedded engine, in that directory, which no other process may own |
| \`link://host:7420\`, \`links://host\`, \`link+unix:///path\` | a Posthaste broker; \`links\` is over TLS |
| \`amqp://…\`, \`amqps://…\` | RabbitMQ |
| \`kafka://…\`, \`kafkas://…\` | Apache Kafka |
| \`nats://…\`, \`tls://…\` | NATS JetStream |
| \`redis://…\`, \`rediss://…\` | Redis Streams |

All of them tell which channels and groups there are. What an engine cannot do is refused with exit code 6 and with what to do
instead: the queues of RabbitMQ keep nothing that is done, so \`seek\` moves no group there.`

/** The page of the command: made of the commands themselves, so that it says what they do. */
export function referencePage(): string {
  const exits = exitCodes.map(
    ({ code, meaning, errors }) =>
      `| ${code} | ${cell(meaning)} | ${errors.map((error) => `\`${error}\``).join(' ')} |`,
  )
  const parts = [
    introduction,
    `## Exit codes\n\nAn error that stands nowhere here ends with 1.\n\n| code | meaning | errors |\n|---|---|---|\n${exits.join('\n')}`,
    engineIntroduction,
    optionTable(Object.entries(engineOptions)),
    ...commands.map(sectionOf),
  ]
  return `${parts.join('\n\n')}\n`
}

function sectionOf(command: Command): string {
  const { name, about, details, args, options, examples } = command
  const shared = 'engine' in options ? engineOptions : {}
  const own = Object.entries(options).filter(([option]) => !Object.hasOwn(shared, option))
  const rows = Object.entries(args).map(([arg, option]) => `| \`<${arg}>\` | ${cell(told(option))} |`)
  return [
    `## \`posthaste ${name}\``,
    `${about}.`,
    `    ${synopsis(command)}`,
    ...details,
    ...(rows.length === 0 ? [] : [`| argument | what it says |\n|---|---|\n${rows.join('\n')}`]),
    ...(own.length === 0 ? [] : [optionTable(own)]),
    ...(examples.length === 0 ? [] : [`\`\`\`sh\n${examples.join('\n')}\n\`\`\``]),
  ].join('\n\n')
}

function optionTable(options: readonly (readonly [string, Parameters<typeof told>[0]])[]): string {
  const rows = options.map(([name, option]) => `| \`${cell(spelled(name, option))}\` | ${cell(told(option))} |`)
  return `| option | what it says |\n|---|---|\n${rows.join('\n')}`
}

const cell = (text: string): string => text.replaceAll('|', '\\|')
