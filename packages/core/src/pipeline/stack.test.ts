import { type Filter, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../testing/manual-clock.ts'
import { createCall } from './call.ts'
import { integerOption, readOptions } from './options.ts'
import { buildStack, editStack, filterDeps, filterSlot, type StackSlot } from './stack.ts'

interface Options {
  readonly retry?: { readonly attempts: number }
  readonly breaker?: { readonly probes: number }
}

const deps = filterDeps({ clock: manualClock(), target: 'shop.Inventory/checkStock' })

function plain(role: string, more: Partial<Filter> = {}): Filter {
  return { role, apply: (call, next) => next(call), describe: () => ({ role }), ...more }
}

const retrySlot: StackSlot<Options> = {
  role: 'retry',
  why: 'outside of the breaker, so that each attempt is counted',
  create({ retry }) {
    if (retry === undefined) return undefined
    readOptions('retry', retry, { options: { attempts: integerOption(3, { min: 1, max: 9 }) } })
    return plain('retry')
  },
}
const breakerSlot: StackSlot<Options> = {
  role: 'breaker',
  why: 'next to the transport',
  create({ breaker }) {
    if (breaker === undefined) return undefined
    readOptions('breaker', breaker, { options: { probes: integerOption(3, { min: 1, max: 9 }) } })
    return plain('breaker', { notReadyForMs: () => breaker.probes })
  },
}
const slots = [retrySlot, breakerSlot]

const rolesOf = (edited: { readonly slots: readonly StackSlot<Options>[] }): string[] =>
  edited.slots.map(({ role }) => role)

describe('editing a stack', () => {
  const tracing = filterSlot(plain('tracing'))

  it('inserts, replaces and removes by role, and leaves the original alone', () => {
    const editor = editStack(slots)
    expect(rolesOf(editor.insertBefore('breaker', tracing))).toEqual(['retry', 'tracing', 'breaker'])
    expect(rolesOf(editor.insertAfter('breaker', tracing))).toEqual(['retry', 'breaker', 'tracing'])
    expect(rolesOf(editor.replace('retry', tracing))).toEqual(['tracing', 'breaker'])
    expect(rolesOf(editor.remove('retry').insertBefore('breaker', tracing))).toEqual(['tracing', 'breaker'])
    expect(rolesOf(editor)).toEqual(['retry', 'breaker'])
  })

  it('refuses an unknown role and names those there are', () => {
    const edits = [
      () => editStack(slots).insertBefore('bulkhead', tracing),
      () => editStack(slots).insertAfter('bulkhead', tracing),
      () => editStack(slots).replace('bulkhead', tracing),
      () => editStack(slots).remove('bulkhead'),
    ]
    for (const edit of edits) {
      expect(edit).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('retry, breaker') }),
      )
    }
  })

  it('refuses a role that would be there twice', () => {
    expect(() => editStack(slots).insertAfter('retry', breakerSlot)).toThrow(/'breaker' already/)
    expect(rolesOf(editStack(slots).replace('retry', retrySlot))).toEqual(['retry', 'breaker'])
  })
})

describe('a built stack', () => {
  it('holds only the filters that are configured', () => {
    const built = buildStack<Options>(slots, { breaker: { probes: 2 } }, deps)
    expect(built.filters.map(({ role }) => role)).toEqual(['breaker'])
  })

  it('reports the mistakes of all filters at once', () => {
    const build = (): unknown => buildStack<Options>(slots, { retry: { attempts: 0 }, breaker: { probes: 0 } }, deps)
    expect(build).toThrow(PosthasteError)
    expect(build).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: [
          expect.objectContaining({ path: 'retry.attempts' }),
          expect.objectContaining({ path: 'breaker.probes' }),
        ],
      }),
    )
  })

  it('gives every filter the same dependencies', () => {
    const seen: unknown[] = []
    const looking: StackSlot<Options> = { role: 'looking', why: '', create: (_, given) => void seen.push(given) }
    buildStack([looking], {}, deps)
    expect(seen).toEqual([deps])
  })

  it('describes its filters from the outermost, with the reason for their place', () => {
    const built = buildStack<Options>(slots, { retry: { attempts: 2 }, breaker: { probes: 2 } }, deps)
    expect(built.describe()).toEqual([
      { role: 'retry', why: 'outside of the breaker, so that each attempt is counted' },
      { role: 'breaker', why: 'next to the transport' },
    ])
  })

  it('is ready when its slowest filter is', () => {
    expect(buildStack<Options>(slots, { retry: { attempts: 2 } }, deps).notReadyForMs()).toBe(0)
    const gated = editStack(slots).insertBefore('retry', filterSlot(plain('bulkhead', { notReadyForMs: () => 40 })))
    expect(buildStack<Options>(gated.slots, { breaker: { probes: 7 } }, deps).notReadyForMs()).toBe(40)
  })

  it('stands around a service', () => {
    const built = buildStack<Options>(slots, { retry: { attempts: 2 } }, deps)
    const double = built.around(({ payload }: { readonly payload: number }) => payload * 2)
    expect(double(createCall({ kind: 'serve', target: 't', id: '1', payload: 21 }))).toBe(42)
  })
})

describe('filterDeps', () => {
  it('keeps what is given and makes a wheel on the given clock', async () => {
    const clock = manualClock()
    const { timers, random, target } = filterDeps({ clock, random: () => 0.25, target: 't' })
    let fired = false
    timers.set(10, () => {
      fired = true
    })
    await clock.advance(20)
    expect({ fired, random: random(), target }).toEqual({ fired: true, random: 0.25, target: 't' })
  })

  it('fills in the machine’s own', () => {
    const { clock, random, log } = filterDeps()
    expect(clock.monotonicMs()).toBeGreaterThan(0)
    expect(random()).toBeLessThan(1)
    log.error('goes nowhere')
  })
})
