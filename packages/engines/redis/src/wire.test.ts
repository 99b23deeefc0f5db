import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Packer, Unpacker } from './wire.ts'

type Value = string | number | boolean | readonly Value[]

function pack(packer: Packer, value: Value): Packer {
  if (typeof value === 'string') return packer.text(value)
  if (typeof value === 'number') return packer.number(value)
  if (typeof value === 'boolean') return packer.yesOrNo(value)
  packer.array(value.length)
  for (const each of value) pack(packer, each)
  return packer
}

const wellFormed = fc.string({ unit: 'grapheme', maxLength: 300 })

const { value: anyValue } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    wellFormed,
    fc.double({ noNaN: true }).filter((each) => !Object.is(each, -0)),
    fc.integer(),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 20 }),
  ),
}))

describe('what is packed', () => {
  it('is read as it was', () => {
    const packer = new Packer()
    fc.assert(
      fc.property(anyValue, (value) => {
        const reader = new Unpacker(pack(packer, value).take())
        expect(reader.value()).toEqual(value)
        expect(reader.at).toBe(reader.buffer.length)
      }),
    )
  })

  it.each([0, 10, 11, 31, 32, 255, 256, 65_535, 65_536, 200_000])('may be a text of %i characters', (length) => {
    const text = 'ä'.repeat(length)
    expect(new Unpacker(new Packer().text(text).take()).text()).toBe(text)
  })

  it.each([0, 15, 16, 65_535, 65_536])('may be an array of %i values', (length) => {
    const packer = new Packer().array(length)
    for (let at = 0; at < length; at += 1) packer.number(at % 100)
    expect(new Unpacker(packer.take()).array()).toBe(length)
  })

  it('may be bytes, which are seen and not copied', () => {
    const bytes = Uint8Array.of(0, 255, 192, 128)
    const reader = new Unpacker(new Packer().bytes(bytes).take())
    const seen = reader.bytes()
    expect(seen).toEqual(bytes)
    expect(seen.buffer).toBe(reader.buffer.buffer)
  })

  it('begins anew once it was taken, and what was taken stays as it is', () => {
    const packer = new Packer()
    const first = packer.text('first').take()
    packer.text('other').take()
    expect(packer.length).toBe(0)
    expect(new Unpacker(first).text()).toBe('first')
  })
})

describe('numbers of the script', () => {
  it.each([
    [0x7f, [0x7f]],
    [200, [0xcc, 200]],
    [0x1234, [0xcd, 0x12, 0x34]],
    [0x12345678, [0xce, 0x12, 0x34, 0x56, 0x78]],
    [2 ** 40, [0xcf, 0, 0, 1, 0, 0, 0, 0, 0]],
    [-1, [0xff]],
    [-100, [0xd0, 0x9c]],
    [-1_000, [0xd1, 0xfc, 0x18]],
    [-100_000, [0xd2, 0xff, 0xfe, 0x79, 0x60]],
    [-(2 ** 40), [0xd3, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0]],
    [1.5, [0xca, 0x3f, 0xc0, 0, 0]],
  ])('%d is read in the form it comes in', (value, bytes) => {
    expect(new Unpacker(Buffer.from(bytes)).number()).toBe(value)
  })

  it('are told from what is none', () => {
    expect(() => new Unpacker(Buffer.of(0x90)).number()).toThrow(/0x90 where a number/)
    expect(() => new Unpacker(Buffer.of(0x01)).text()).toThrow(/0x1 where a text/)
    expect(() => new Unpacker(Buffer.of(0x01)).array()).toThrow(/0x1 where an array/)
  })
})
