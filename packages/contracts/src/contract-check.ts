import { type Issue, PosthasteError } from './error.ts'

/**
 * Refuses a contract with all that is wrong with it.
 * @throws CONTRACT_INVALID when there are issues
 */
export function refuse(what: string, issues: readonly Issue[]): void {
  if (issues.length === 0) return
  const text = issues.map(({ path, message }) => (path === '' ? message : `${path} ${message}`)).join('; ')
  throw new PosthasteError('CONTRACT_INVALID', `${what}: ${text}`, { issues })
}

/** What is wrong with a contract for messages, whose options may be the `known` ones. */
export function messageMistakes(type: unknown, options: unknown, known: readonly string[]): Issue[] {
  const named = mistakes([['', isName(type, messageName, messageNameLengthMax), messageNameRule]])
  if (!isObject(options)) return [...named, { path: '', message: 'must be given its options: at least data' }]
  const { data, key, description, timeToLiveMs, retention, codec, version, priorities, deduplicateForMs } = options
  return [
    ...named,
    ...unknownOptions(options, known, ''),
    ...mistakes([
      ['data', isSchema(data), schemaRule],
      ['key', key === undefined || typeof key === 'function', 'must be a function of the data'],
      ['description', isOptional('string', description), 'must be text'],
      ['timeToLiveMs', timeToLiveMs === undefined || isPositive(timeToLiveMs), positiveRule],
      ['codec', codec === undefined || isCodec(codec), codecRule],
      [
        'version',
        version === undefined || isWhole(version, 1, versionMax),
        `must be a whole number, 1 to ${versionMax}`,
      ],
      ['priorities', priorities === undefined || isWhole(priorities, 1, prioritiesMax), prioritiesRule],
      ['priorities', !isWhole(priorities, 2, prioritiesMax) || key === undefined, 'exclude a key: that is about order'],
      ['deduplicateForMs', deduplicateForMs === undefined || isPositive(deduplicateForMs), positiveRule],
      ['reply', options.reply === undefined || isSchema(options.reply), schemaRule],
    ]),
    ...upcasterMistakes(options.upcasters, version),
    ...(known.includes('retention') && retention !== undefined ? retentionMistakes(retention) : []),
  ]
}

/** What is wrong with a pattern of events. */
export function patternMistakes(pattern: unknown, options: unknown): Issue[] {
  const named = mistakes([['', isName(pattern, patternName, messageNameLengthMax), patternRule]])
  if (!isObject(options)) return [...named, { path: '', message: 'must be given its options: at least data' }]
  return [
    ...named,
    ...unknownOptions(options, ['data', 'description'], ''),
    ...mistakes([
      ['data', isSchema(options.data), schemaRule],
      ['description', isOptional('string', options.description), 'must be text'],
    ]),
  ]
}

/** What is wrong with a service and its methods. */
export function serviceMistakes(name: unknown, methods: unknown): Issue[] {
  const named = mistakes([['', isName(name, serviceName, serviceNameLengthMax), serviceNameRule]])
  const entries = isObject(methods) ? Object.entries(methods) : []
  if (entries.length === 0) return [...named, { path: '', message: 'must have at least one method' }]
  return [
    ...named,
    ...entries.flatMap(([method, contract]) => methodMistakes(method, contract)),
    ...sharedRoutes(entries),
  ]
}

type Rule = readonly [path: string, kept: boolean, message: string]

const messageName = /^[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9][A-Za-z0-9_-]*)*$/
/** With `posthaste.dead.`, a group of 64 and a dot in front it is still the name of a channel, of 240 at most. */
const messageNameLengthMax = 160
const messageNameRule = `the type must be dotted words of letters, digits, _ and -, at most ${messageNameLengthMax} characters`
const patternName = /^(\*|[A-Za-z][A-Za-z0-9_-]*)(\.(\*|[A-Za-z0-9][A-Za-z0-9_-]*))*(\.\*\*)?$/
const patternRule = 'the pattern must be dotted words of letters, digits, _ and -, or * for any word, or ** at the end'
const versionMax = 1_000_000
const prioritiesMax = 10
const prioritiesRule = `must be a whole number, 1 to ${prioritiesMax}`
/** As protobuf has it, so that every service can be served over gRPC. */
const serviceName = /^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*$/
const serviceNameLengthMax = 200
const serviceNameRule = `the name must be dotted words of letters, digits and _, at most ${serviceNameLengthMax} characters`
const methodName = /^[A-Za-z][A-Za-z0-9_]*$/
const routePattern = /^(GET|HEAD|POST|PUT|PATCH|DELETE) (\/[^\s?#]*)$/
const codecRule = 'must be a codec: contentType, encode and decode'
const schemaRule = 'must implement Standard Schema'
const positiveRule = 'must be a positive number'

function mistakes(rules: readonly Rule[]): Issue[] {
  return rules.filter(([, kept]) => !kept).map(([path, , message]) => ({ path, message }))
}

function unknownOptions(options: object, known: readonly string[], prefix: string): Issue[] {
  const strangers = Object.entries(options).filter(([name, value]) => value !== undefined && !known.includes(name))
  return strangers.map(([name]) => ({
    path: `${prefix}${name}`,
    message: `is no option; there are ${known.join(', ')}`,
  }))
}

function retentionMistakes(retention: unknown): Issue[] {
  if (!isObject(retention)) return [{ path: 'retention', message: 'must be an object' }]
  const { forMs, bytesMax } = retention
  return [
    ...unknownOptions(retention, ['forMs', 'bytesMax'], 'retention.'),
    ...mistakes([
      ['retention.forMs', forMs === undefined || isPositive(forMs), positiveRule],
      ['retention.bytesMax', bytesMax === undefined || isPositive(bytesMax), positiveRule],
    ]),
  ]
}

function upcasterMistakes(upcasters: unknown, version: unknown): Issue[] {
  if (upcasters === undefined) return []
  if (!isObject(upcasters)) return [{ path: 'upcasters', message: 'must be an object of functions by version' }]
  const current = typeof version === 'number' ? version : 1
  return Object.entries(upcasters).flatMap(([from, lift]) =>
    mistakes([
      [`upcasters.${from}`, isWhole(Number(from), 1, current - 1), `must be by a version below ${current}`],
      [`upcasters.${from}`, typeof lift === 'function', 'must be a function of the data'],
    ]),
  )
}

function methodMistakes(name: string, contract: unknown): Issue[] {
  if (!isObject(contract)) return [{ path: name, message: 'must be an object with input and output' }]
  const { input, output, http, idempotent, formats, description } = contract
  return [
    ...mistakes([
      [name, methodName.test(name), 'must be named with a letter, then letters, digits or _'],
      [name, name !== 'then', 'must be named otherwise: an object with a method then is taken for a promise'],
      [`${name}.input`, isSchema(partSchema(input)), schemaRule],
      [`${name}.output`, isSchema(partSchema(output)), schemaRule],
      [`${name}.idempotent`, isOptional('boolean', idempotent), 'must be true or false'],
      [`${name}.description`, isOptional('string', description), 'must be text'],
    ]),
    ...unknownOptions(contract, ['input', 'output', 'http', 'idempotent', 'formats', 'description'], `${name}.`),
    ...(http === undefined ? [] : routeMistakes(`${name}.http`, http)),
    ...(formats === undefined ? [] : formatMistakes(`${name}.formats`, formats)),
  ]
}

/** What the schema of a method's part is to be: its own, or that of the items of a stream. */
function partSchema(part: unknown): unknown {
  return isObject(part) && 'stream' in part && !('~standard' in part) ? part.stream : part
}

function formatMistakes(path: string, formats: unknown): Issue[] {
  if (!Array.isArray(formats)) return [{ path, message: 'must be a list of formats, each with input and output' }]
  const seen = new Set<unknown>()
  return formats.flatMap((format: unknown, index): Issue[] => {
    const at = `${path}.${index}`
    if (!isObject(format)) return [{ path: at, message: 'must be an object with input and output' }]
    const { input, output } = format
    const found = mistakes([
      [`${at}.input`, isCodec(input), codecRule],
      [`${at}.output`, isCodec(output), codecRule],
    ])
    if (!isCodec(input) || !isCodec(output)) return found
    const { contentType } = input
    const repeated = seen.has(contentType)
    seen.add(contentType)
    return mistakes([
      [
        at,
        contentType === output.contentType,
        `must be of one content type, not ${contentType} and ${output.contentType}`,
      ],
      [at, !repeated, `is of a content type that stands before it, ${contentType}`],
    ])
  })
}

function routeMistakes(path: string, http: unknown): Issue[] {
  if (!isObject(http)) return mistakes([[path, isRoute(http), routeRule(http)]])
  const { route, status } = http
  const isSuccess = Number.isInteger(status) && (status as number) >= 200 && (status as number) <= 299
  return [
    ...unknownOptions(http, ['route', 'status'], `${path}.`),
    ...mistakes([
      [`${path}.route`, isRoute(route), routeRule(route)],
      [`${path}.status`, status === undefined || isSuccess, 'must be a status of success, 200 to 299'],
    ]),
  ]
}

function isRoute(route: unknown): boolean {
  const path = typeof route === 'string' ? routePattern.exec(route)?.[2] : undefined
  if (path === undefined) return false
  const parameters = path.split('/').filter((segment) => segment.includes(':'))
  return (
    parameters.every((segment) => /^:[A-Za-z_]\w*$/.test(segment)) && new Set(parameters).size === parameters.length
  )
}

function routeRule(route: unknown): string {
  return `must be like 'GET /path/:parameter', each parameter a whole segment of its own, not ${JSON.stringify(route)}`
}

/** Routes that two methods claim; what their parameters are called makes no difference. */
function sharedRoutes(methods: readonly (readonly [string, unknown])[]): Issue[] {
  const owners = new Map<string, string>()
  const issues: Issue[] = []
  for (const [method, contract] of methods) {
    const http = isObject(contract) ? contract.http : undefined
    const route = isObject(http) ? http.route : http
    if (!isRoute(route)) continue
    const shape = (route as string).replace(/:\w+/g, ':')
    const owner = owners.get(shape)
    if (owner === undefined) owners.set(shape, method)
    else issues.push({ path: `${method}.http`, message: `is the route of ${owner}, too` })
  }
  return issues
}

function isName(name: unknown, pattern: RegExp, lengthMax: number): boolean {
  return typeof name === 'string' && name.length <= lengthMax && pattern.test(name)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Schemas may be functions: those of arktype are. */
function isSchema(value: unknown): boolean {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const standard = (value as { readonly '~standard'?: unknown })['~standard']
  return isObject(standard) && typeof standard.validate === 'function'
}

function isCodec(value: unknown): value is { readonly contentType: string } {
  if (!isObject(value)) return false
  const { contentType, encode, decode } = value
  return typeof contentType === 'string' && typeof encode === 'function' && typeof decode === 'function'
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max
}

function isOptional(type: 'string' | 'boolean', value: unknown): boolean {
  return value === undefined || typeof value === type
}

function isPositive(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value < Number.POSITIVE_INFINITY
}
