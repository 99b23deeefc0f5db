import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mergeInput, queryFields } from './input.ts'

const invalid = expect.objectContaining({ code: 'INVALID_ARGUMENT' })
const text = fc.string({ unit: 'grapheme' })

describe('a query string', () => {
  it('is read as the form encoding writes it, with all values of a name in order', () => {
    const pairs = fc.array(
      fc.tuple(
        text.filter((name) => name !== '__proto__'),
        text,
      ),
    )
    fc.assert(
      fc.property(pairs, (given) => {
        const query = new URLSearchParams(given)
        const fields = queryFields(query.toString())
        expect(Object.keys(fields).sort()).toEqual([...new Set(query.keys())].sort())
        for (const name of query.keys()) expect([fields[name]].flat()).toEqual(query.getAll(name))
      }),
    )
  })

  it('has no name that reaches a prototype', () => {
    for (const query of ['__proto__=1', 'a=1&__proto__', '%5f_proto__=1'])
      expect(() => queryFields(query)).toThrow(invalid)
    expect(queryFields('constructor=1&toString=2')).toEqual({ constructor: '1', toString: '2' })
  })

  it.each(['a=%', 'a=%f', '%gg=1', 'a=%ff', 'a=%c3%28'])('is valid percent-encoding: %s', (query) => {
    expect(() => queryFields(query)).toThrow(invalid)
  })
})

describe('path parameters', () => {
  it('leave what they are merged into as it was', () => {
    const body = { a: 1 }
    expect(mergeInput({ id: '7' }, body)).toEqual({ a: 1, id: '7' })
    expect(body).toEqual({ a: 1 })
  })

  it('agree with a field that says the same in another type, and win over it', () => {
    expect(mergeInput({ id: '7', yes: 'true' }, { id: 7, yes: true })).toEqual({ id: '7', yes: 'true' })
  })

  it.each([{ id: 8 }, { id: ['7'] }, { id: { toString: () => '7' } }, { id: null }])('disagree with %j', (body) => {
    expect(() => mergeInput({ id: '7' }, body)).toThrow(invalid)
  })

  it.each([[[]], ['text'], [null], [5]])('cannot be merged into %j', (body) => {
    expect(() => mergeInput({ id: '7' }, body)).toThrow(invalid)
    expect(mergeInput({}, body)).toBe(body)
  })
})
