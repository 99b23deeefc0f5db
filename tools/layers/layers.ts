/**
 * The direction of the architecture as data: one row per layer, listing the layers it may import and why no others.
 * What is not listed is forbidden; a file outside all rows is an error too.
 */
export interface Layer {
  readonly name: string
  /** Path prefixes of the files in this layer. */
  readonly at: readonly string[]
  readonly imports: readonly string[]
  /** Whether it runs on any JavaScript runtime, so that `node:*` is forbidden. */
  readonly portable: boolean
  readonly because: string
}

const core = 'packages/core/src'
const kernel = ['contracts', 'pipeline'] as const
const policies = [...kernel, 'resilience', 'telemetry'] as const
const halves = [...policies, 'discovery', 'bus', 'rpc'] as const
const drivers = ['link', 'broker-engine', 'engines', 'transports', 'codecs', 'stores', 'registries'] as const
const product = [...halves, 'eventing', 'app', ...drivers] as const

/** Rows stand in the order of the arrows: a layer imports only from rows above it. */
export const layers: readonly Layer[] = [
  {
    name: 'contracts',
    at: ['packages/contracts/src/'],
    imports: [],
    portable: true,
    because: 'everybody leans on the nouns and interfaces, so they lean on nothing',
  },
  {
    name: 'pipeline',
    at: [`${core}/pipeline/`],
    imports: ['contracts'],
    portable: true,
    because: 'calls and filters are what every policy is written in, so they know no policy',
  },
  {
    name: 'resilience',
    at: [`${core}/resilience/`],
    imports: kernel,
    portable: true,
    because: 'a policy is one filter for calls and messages alike, so it knows neither half and no other policy family',
  },
  {
    name: 'telemetry',
    at: [`${core}/telemetry/`],
    imports: kernel,
    portable: true,
    because: 'tracing is one filter for calls and messages alike, so it knows neither half and no other policy family',
  },
  {
    name: 'discovery',
    at: [`${core}/discovery/`],
    imports: policies,
    portable: true,
    because: 'where a service stands is one question, how calls or messages are carried is another: they meet in app',
  },
  {
    name: 'bus',
    at: [`${core}/bus/`],
    imports: policies,
    portable: true,
    because: 'messages work without calls and without discovery; what joins the halves belongs above them',
  },
  {
    name: 'rpc',
    at: [`${core}/rpc/`],
    imports: policies,
    portable: true,
    because: 'calls work without messages; endpoints are handed in by app, so discovery stays replaceable',
  },
  {
    name: 'eventing',
    at: [`${core}/eventing/`],
    imports: halves,
    portable: true,
    because: 'sagas, outbox and projections are built on bus and rpc; if these knew them, nobody could use one alone',
  },
  {
    name: 'app',
    at: [`${core}/app/`],
    imports: [...halves, 'eventing'],
    portable: false,
    because:
      'the facade composes everything of core and is handed its engines and transports, so it names none of them',
  },
  {
    name: 'testing',
    at: [`${core}/testing/`, 'packages/core/test/'],
    imports: [...halves, 'eventing', 'app'],
    portable: false,
    because: 'test doubles may reach all of core, and nothing that ships may reach them',
  },
  {
    name: 'link',
    at: ['packages/transports/link/'],
    imports: ['contracts'],
    portable: false,
    because: 'the wire is written against the interfaces alone, as any transport of an outsider is',
  },
  {
    name: 'broker-engine',
    at: ['packages/engines/broker/'],
    imports: ['contracts', 'link'],
    portable: false,
    because: 'our broker is a service that is reached over link; of the core it knows no more than any engine does',
  },
  ...(['engines', 'transports', 'codecs', 'stores', 'registries'] as const).map((name) => ({
    name,
    at: [`packages/${name}/`],
    imports: ['contracts'],
    portable: false,
    because:
      'outsiders write these against the interfaces alone; a grip into core would give ours what theirs cannot have',
  })),
  {
    name: 'conformance',
    at: ['packages/conformance/'],
    imports: [...halves, 'eventing', 'app', 'testing'],
    portable: false,
    because: 'the guarantees hold for any engine, so the kit is handed one and names none',
  },
  {
    name: 'programs',
    at: ['broker', 'gateway', 'console'].flatMap((name) => [`packages/${name}/src/`, `packages/${name}/test/`]),
    imports: product,
    portable: false,
    because: 'a program composes the product; programs speak to each other over the wire, and test doubles do not ship',
  },
  {
    name: 'cli',
    at: ['packages/cli/src/', 'packages/cli/test/'],
    imports: [...product, 'programs'],
    portable: false,
    because: 'the command starts the programs, and nobody leans on a command',
  },
  {
    name: 'examples',
    at: ['examples/'],
    imports: [...product, 'conformance', 'testing'],
    portable: false,
    because: 'an example uses what a user has, and nobody leans on an example',
  },
  {
    name: 'bench',
    at: ['bench/'],
    imports: [...product, 'programs', 'conformance', 'testing'],
    portable: false,
    because: 'a benchmark may measure anything that is exported, and nobody leans on a benchmark',
  },
  {
    name: 'tools',
    at: ['tools/'],
    imports: [...product, 'programs', 'conformance'],
    portable: false,
    because: 'a tool may read what it checks, and nothing that ships leans on a tool',
  },
]
