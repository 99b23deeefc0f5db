import { describe, expect, it } from 'vitest'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { bulkhead } from '../bulkhead/bulkhead.ts'
import { filterOf, policyOption, withDefaults } from './policy.ts'

const deps = filterDeps({ clock: manualClock(), target: 't' })
const shared = bulkhead({ concurrency: 2 }, deps)
const make = (options: { readonly concurrency: number }) => bulkhead(options, deps)

describe('a policy', () => {
  it('is made of its options, or is the filter that was given', () => {
    expect(filterOf('bulkhead', { concurrency: 3 }, make)?.describe()).toMatchObject({ concurrency: 3 })
    expect(filterOf('bulkhead', shared, make)).toBe(shared)
  })

  it('is none where nobody asks for one, or where it is refused', () => {
    expect(filterOf('bulkhead', undefined, make)).toBeUndefined()
    expect(filterOf('bulkhead', false, make)).toBeUndefined()
  })

  it('takes no filter of another role for itself', () => {
    expect(() => filterOf('breaker', shared, make)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: [{ path: 'breaker', message: "must be options or a filter of this role, not a filter 'bulkhead'" }],
      }),
    )
  })

  it('goes option by option before its defaults, and as a filter or a refusal before all of them', () => {
    const defaults = { concurrency: 8, queue: 100 }
    expect(withDefaults(undefined, defaults)).toBe(defaults)
    expect(withDefaults<{ concurrency?: number }>({ concurrency: 1 }, defaults)).toEqual({ concurrency: 1, queue: 100 })
    expect(withDefaults<{ queue?: number | undefined }>({ queue: undefined }, defaults)).toEqual(defaults)
    expect(withDefaults<object>({ queue: 1 }, shared)).toEqual({ queue: 1 })
    expect(withDefaults(false, defaults)).toBe(false)
    expect(withDefaults<object>(shared, defaults)).toBe(shared)
  })

  it.each([[7], ['on'], [true], [null], [[]]])('is not %j', (value) => {
    expect(policyOption.accepts(value)).toBe(false)
  })
})
