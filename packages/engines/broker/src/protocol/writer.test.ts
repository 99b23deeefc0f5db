import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

describe('what is written', () => {
  it('is read again: numbers of any size, text of any letters, bytes', () => {
    const parts = fc.tuple(fc.maxSafeNat(), fc.string({ unit: 'grapheme' }), fc.uint8Array(), fc.double())
    fc.assert(
      fc.property(fc.array(parts), (list) => {
        const writer = new Writer()
        for (const [number, text, bytes, double] of list) {
          writer.varint(number)
          writer.sizedText(text)
          writer.varint(bytes.length)
          writer.bytes(bytes)
          writer.double(double)
        }
        const reader = new Reader(writer.take())
        for (const [number, text, bytes, double] of list) {
          expect(reader.varint()).toBe(number)
          expect(reader.sizedText()).toBe(text)
          expect([...reader.bytes(reader.varint())]).toEqual([...bytes])
          expect(reader.double()).toBe(double)
        }
        expect(reader.isAtEnd).toBe(true)
      }),
    )
  })

  it('stays as it was given away, whatever is written later', () => {
    const writer = new Writer()
    const messages = Array.from({ length: 3_000 }, (_, at) => {
      writer.varint(at)
      writer.text('x'.repeat(at % 90))
      return writer.take()
    })
    for (const [at, message] of messages.entries()) {
      const reader = new Reader(message)
      expect(reader.varint()).toBe(at)
      expect(reader.text(at % 90)).toBe('x'.repeat(at % 90))
    }
  })

  it('has several texts behind the number of their bytes, whether they are ASCII or not, short or long', () => {
    const texts = fc.array(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ minLength: 49 })))
    fc.assert(
      fc.property(texts, (list) => {
        const writer = new Writer()
        writer.byte(7)
        writer.sizedTexts(list, list.join('').length)
        writer.byte(8)
        const reader = new Reader(writer.take())
        expect(reader.byte()).toBe(7)
        // Halves of characters have no bytes of their own.
        expect(reader.sizedText()).toBe(list.map((text) => text.toWellFormed()).join(''))
        expect(reader.byte()).toBe(8)
      }),
    )
  })

  it('may be larger than anything before, and be forgotten', () => {
    const writer = new Writer()
    writer.byte(1)
    writer.bytes(new Uint8Array(300_000).fill(2))
    writer.discard()
    writer.byte(3)
    expect([...writer.take()]).toEqual([3])
  })
})

describe('a reader', () => {
  it('refuses a number that is larger than any', () => {
    expect(() => new Reader(new Uint8Array(12).fill(0xff)).varint()).toThrow(/too large/)
  })
})
