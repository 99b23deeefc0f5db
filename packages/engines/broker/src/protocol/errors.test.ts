import { type Outcome, PosthasteError, succeeded } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readFailures, receivedError, type SentError, sentError, writeOutcomes } from './errors.ts'
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

const overTheWire = (error: PosthasteError): PosthasteError =>
  receivedError(JSON.parse(JSON.stringify(sentError(error))) as SentError)

describe('an error', () => {
  it('says on the other side what it said on this one, and keeps its cause to itself', () => {
    const error = new PosthasteError('RATE_LIMITED', 'too fast', {
      ...{ remedy: 'Slow down.', verdict: 'permanent', retryAfterMs: 7, details: { a: 1 } },
      ...{ issues: [{ path: 'x', message: 'y' }], cause: new Error('secret') },
    })
    const { cause, ...told } = overTheWire(error)
    expect(told).toEqual({ ...error, cause: undefined, ...told })
    expect(overTheWire(error).message).toBe('[RATE_LIMITED] too fast')
    expect(cause).toBeUndefined()
    expect(JSON.stringify(sentError(error))).not.toContain('secret')
  })

  it('of a code that is not known is an internal one', () => {
    expect(receivedError({ code: 'NEW_ONE', message: 'what' })).toMatchObject({ code: 'INTERNAL' })
  })
})

describe('outcomes', () => {
  const errors = ['NOT_FOUND', 'CONFLICT'].map((code) => new PosthasteError(code as 'NOT_FOUND', 'because'))
  const outcome = fc.constantFrom<Outcome>(succeeded, ...errors.map((error) => ({ ok: false, error }) as const))

  it('are told by their failures', () => {
    fc.assert(
      fc.property(fc.array(outcome), (list) => {
        const writer = new Writer()
        writeOutcomes(writer, list)
        const failures = readFailures(new Reader(writer.take()))
        const codes = list.map((each, at) => {
          const failure = failures.get(at)
          return [each.ok ? undefined : each.error.code, failure?.ok === false ? failure.error.code : undefined]
        })
        for (const [sent, read] of codes) expect(read).toBe(sent)
      }),
    )
  })

  it('are one byte where all went well, and tell a reason once', () => {
    const writer = new Writer()
    writeOutcomes(writer, new Array<Outcome>(1_000).fill(succeeded))
    expect(writer.take().length).toBe(1)
    writeOutcomes(writer, new Array<Outcome>(100).fill({ ok: false, error: errors[0]! }))
    expect(writer.length).toBeLessThan(2 * 100 + 300)
  })
})
