import {
  type CalledMethod,
  isStream,
  type Schema,
  type ServedMethod,
  service,
  type TransportHost,
} from '@posthaste/contracts'

/** How a server is. */
export interface LinkHealth {
  readonly status: 'ok' | 'degraded' | 'failing'
}

/** A method that is served, for whoever looks at a server. */
export interface LinkMethod {
  readonly service: string
  readonly method: string
  /** Whether one value goes in, or a stream of them. */
  readonly input: 'one' | 'stream'
  readonly output: 'one' | 'stream'
  readonly idempotent: boolean
  readonly description?: string | undefined
}

const anything: Schema = { '~standard': { version: 1, vendor: 'posthaste', validate: (value) => ({ value }) } }

/** What every server of link serves beside what the application does. */
export const builtIn = service('posthaste.Link', {
  health: { input: anything, output: anything, idempotent: true, description: 'How the server is.' },
  describe: { input: anything, output: anything, idempotent: true, description: 'What the server serves.' },
})

/** Method of {@link builtIn} as clients name it. */
export function builtInMethod(method: keyof typeof builtIn.methods): CalledMethod {
  return called[method]
}

const called = {
  health: { service: builtIn.name, method: 'health', contract: builtIn.methods.health },
  describe: { service: builtIn.name, method: 'describe', contract: builtIn.methods.describe },
}

/** Tells how the application is. */
export function healthMethod(health: TransportHost['health']): ServedMethod {
  return answering('health', (): LinkHealth => ({ status: health?.() ?? 'ok' }))
}

/** Tells what is served. */
export function describeMethod(methods: readonly ServedMethod[]): ServedMethod {
  const described = methods.map(({ service: name, method, contract }): LinkMethod => {
    const { input, output, idempotent = false, description } = contract
    return {
      service: name,
      method,
      input: isStream(input) ? 'stream' : 'one',
      output: isStream(output) ? 'stream' : 'one',
      idempotent,
      ...(description !== undefined && { description }),
    }
  })
  return answering('describe', () => ({ methods: described }))
}

function answering(method: keyof typeof builtIn.methods, answer: () => unknown): ServedMethod {
  return {
    ...called[method],
    dispatch: () => ({ result: Promise.resolve(answer()), cancel() {}, unfinished: () => undefined }),
  }
}
