import { type Codec, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { Codecs } from './codecs.ts'
import { jsonCodec } from './json.ts'

const codec = (contentType: string): Codec => ({
  contentType,
  encode: () => new Uint8Array(0),
  decode: () => undefined,
})

const refusal = (make: () => unknown): PosthasteError => {
  try {
    make()
  } catch (error) {
    if (PosthasteError.is(error)) return error
  }
  throw new Error('it was not refused')
}

describe('the codecs of an application', () => {
  it.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON', 'application/vnd.shop+json'])(
    'know %s as JSON',
    (contentType) => {
      expect(new Codecs().find(contentType, undefined)).toBe(jsonCodec)
    },
  )

  it('prefer the contract’s own, then JSON, then those of the application', () => {
    const own = codec('application/x-own')
    const other = codec('application/x-other')
    const codecs = new Codecs([codec('application/x-own'), other])
    expect(codecs.find('application/x-own', own)).toBe(own)
    expect(codecs.find('application/json', own)).toBe(jsonCodec)
    expect(codecs.find('Application/X-Other; v=1', own)).toBe(other)
  })

  it('let a contract bring its own way of reading JSON', () => {
    const own = codec('application/json')
    expect(new Codecs().find('application/json; charset=utf-8', own)).toBe(own)
  })

  it('say which content type they do not know, and what to do', () => {
    const error = refusal(() => new Codecs().find('application/xml', undefined))
    expect(error).toMatchObject({ code: 'BODY_MALFORMED', verdict: 'permanent' })
    expect(error.message).toContain('application/xml')
    expect(error.remedy).toContain('codecs')
  })

  it('are refused with every mistake at once', () => {
    const wrong = [
      codec('application/x-one'),
      codec('application/x-one'),
      codec('Text/Plain'),
      codec('text/plain; charset=utf-8'),
      codec('application/json'),
      { contentType: 'application/x-two' },
      undefined,
    ] as never
    const { code, issues } = refusal(() => new Codecs(wrong))
    expect(code).toBe('CONFIG_INVALID')
    expect(issues.map(({ path }) => path)).toEqual([1, 2, 3, 4, 5, 6].map((at) => `codecs.${at}`))
    expect(refusal(() => new Codecs('msgpack' as never)).issues).toEqual([
      { path: 'codecs', message: 'must be an array of codecs' },
    ])
  })
})
