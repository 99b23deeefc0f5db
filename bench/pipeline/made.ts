/** What a call makes that costs much, besides memory. */
export interface Made {
  readonly timers: number
  readonly abortControllers: number
  readonly abortSignals: number
}

/**
 * Counts, from here on, what this process makes: timers of the machine, `AbortController`s, and signals by
 * `AbortSignal.any` or `AbortSignal.timeout`. Before anything else is imported, so that nobody has them already.
 */
export function countMaking(): () => Made {
  const made = { timers: 0, abortControllers: 0, abortSignals: 0 }
  for (const name of ['setTimeout', 'setInterval'] as const) {
    const real = globalThis[name] as (...args: unknown[]) => unknown
    Object.defineProperty(globalThis, name, {
      value: Object.assign((...args: unknown[]) => {
        made.timers += 1
        return real(...args)
      }, real),
    })
  }
  const RealController = globalThis.AbortController
  globalThis.AbortController = class extends RealController {
    constructor() {
      super()
      made.abortControllers += 1
    }
  }
  for (const name of ['any', 'timeout'] as const) {
    const real = AbortSignal[name] as (of: never) => AbortSignal
    Object.defineProperty(AbortSignal, name, {
      value: (of: never) => {
        made.abortSignals += 1
        return real.call(AbortSignal, of)
      },
    })
  }
  return () => ({ ...made })
}
