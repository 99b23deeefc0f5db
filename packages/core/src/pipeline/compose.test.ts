import type { Filter } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { createCall } from './call.ts'
import { compose } from './compose.ts'

const call = createCall({ kind: 'serve', target: 't', id: '1', payload: 1 })

function noting(role: string, notes: string[]): Filter {
  return {
    role,
    describe: () => ({ role }),
    apply(passed, next) {
      notes.push(role)
      return next(passed.derive({ attempt: passed.attempt + 1 }))
    },
  }
}

describe('compose', () => {
  it('passes a call through the filters from the first to the last, then to the service', () => {
    const notes: string[] = []
    const service = compose<number, number>([noting('outer', notes), noting('inner', notes)], ({ attempt }) => {
      notes.push('service')
      return attempt
    })
    expect(service(call)).toBe(3)
    expect(notes).toEqual(['outer', 'inner', 'service'])
  })

  it('is the service itself where there are no filters', () => {
    const service = () => 1
    expect(compose([], service)).toBe(service)
  })

  it('keeps throws synchronous and rejections asynchronous', async () => {
    const fault = new Error('a fault')
    const throwing = compose<number, never>([noting('a', [])], () => {
      throw fault
    })
    expect(() => throwing(call)).toThrow(fault)
    await expect(compose([noting('a', [])], () => Promise.reject(fault))(call)).rejects.toBe(fault)
  })
})
