import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { attributeText, extensionIssues, headerBytes, headersFit, isAttributeText } from './attributes.ts'

describe('headersFit', () => {
  it('agrees with counting every byte', () => {
    const headers = fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.string({ unit: 'grapheme', maxLength: 10 }))
    fc.assert(
      fc.property(headers, fc.nat(100), (given, bytesMax) => {
        expect(headersFit(given, 255, bytesMax)).toBe(headerBytes(given) <= bytesMax)
      }),
    )
  })

  it('counts headers, too', () => {
    expect(headersFit({ a: '', b: '' }, 2, 100)).toBe(true)
    expect(headersFit({ a: '', b: '', c: '' }, 2, 100)).toBe(false)
  })
})

describe('attributeText', () => {
  const anyUnits = fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units))

  it('makes any text fit to stand in a header', () => {
    fc.assert(
      fc.property(anyUnits, fc.nat(50), (text, lengthMax) => {
        const fit = attributeText(text, lengthMax)
        expect(isAttributeText(fit)).toBe(true)
        expect(fit.length).toBeLessThanOrEqual(lengthMax)
      }),
    )
  })

  it('leaves text that is fit as it is', () => {
    expect(attributeText('größer, 2 < 3', 100)).toBe('größer, 2 < 3')
  })
})

describe('extensionIssues', () => {
  it('has nothing against attributes of other specifications', () => {
    expect(extensionIssues({ traceparent: '00-a-b-01', subject: 'order/7', dataschema: 'https://shop/order' })).toEqual(
      [],
    )
  })

  it.each(['id', 'partitionkey', 'correlationid', 'specversion', 'dlcode'])('keeps %s for Posthaste', (name) => {
    expect(extensionIssues({ [name]: 'x' })).toEqual([
      { path: `headers.${name}`, message: 'is written by Posthaste itself' },
    ])
  })

  it.each([[5], [null], ['a\nb'], ['\ud800'], ['\uffff']])('refuses the value %j', (value) => {
    expect(extensionIssues({ note: value })).toHaveLength(1)
  })

  it('holds attributes that CloudEvents knows to their types', () => {
    expect(extensionIssues({ dataschema: 'no uri', subject: '' }).map(({ path }) => path)).toEqual([
      'headers.dataschema',
      'headers.subject',
    ])
  })

  it('refuses what is no set of attributes', () => {
    expect(extensionIssues('tenant=t1')).toHaveLength(1)
  })
})
