import type { Codec, MethodContract } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { codecIssues, contentTypesOf, formatsOf } from './formats.ts'
import { json } from './json.ts'

const codec = (contentType: string): Codec => ({ ...json, contentType })
const contract = { formats: undefined } as unknown as MethodContract

describe('the formats of a method', () => {
  it('are those of its contract, then those of the side, then JSON', () => {
    const own = { input: codec('application/protobuf'), output: codec('application/protobuf') }
    const formats = formatsOf({ ...contract, formats: [own] }, [codec('application/msgpack')])
    expect(formats.map(({ contentType }) => contentType)).toEqual([
      'application/protobuf',
      'application/msgpack',
      'application/json',
    ])
    expect(formats[0]).toMatchObject(own)
  })

  it('have each content type once: what the contract brings goes before what the side has', () => {
    const own = { input: codec('a/b'), output: codec('a/b') }
    const [first, ...rest] = formatsOf({ ...contract, formats: [own] }, [codec('a/b')])
    expect(first?.input).toBe(own.input)
    expect(rest).toEqual([{ contentType: 'application/json', input: json, output: json }])
  })

  it('together have JSON first', () => {
    expect(contentTypesOf([])).toEqual(['application/json'])
    expect(contentTypesOf([formatsOf(contract, [codec('a/b')]), formatsOf(contract, [codec('c/d')])])).toEqual([
      'application/json',
      'a/b',
      'c/d',
    ])
  })
})

describe('the option codecs', () => {
  it('takes codecs, or nothing', () => {
    expect(codecIssues(undefined)).toEqual([])
    expect(codecIssues([codec('a/b')])).toEqual([])
  })

  it('says everything that is wrong with it', () => {
    expect(codecIssues('x')).toMatchObject([{ path: 'codecs' }])
    const wrong = [null, {}, codec('A/B'), codec('application/json'), codec('a/b'), codec('a/b')]
    expect(codecIssues(wrong).map(({ path }) => path)).toEqual([
      'codecs.0',
      'codecs.1',
      'codecs.2',
      'codecs.3',
      'codecs.5',
    ])
  })
})
