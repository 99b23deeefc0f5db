import { isUtf8 } from 'node:buffer'
import type { AvroType, TypeParts } from './types.ts'

/** What is wrong with bytes that claim to be of a schema; the codec gives it a code. */
export class Flaw extends Error {}

/** How deep records, arrays and maps may be nested. */
export const depthMax = 128
/** How many items without any bytes, such as nulls, one body may have in all its arrays. */
export const emptyItemsMax = 65_536

/** Walks one value of a type, from its first byte to behind its last. */
type Walk = (cursor: Cursor) => void

/**
 * Makes what walks a whole body of a type without building anything, so that the library, which believes every count and every
 * length, reads only what is sound.
 *
 * @returns throws a Flaw when the bytes are not exactly one value of the type
 * @see https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
 */
export function structureOf(type: AvroType): (bytes: Uint8Array) => void {
  const walk = walkOf(type, new Map())
  return (bytes) => {
    const cursor = new Cursor(bytes)
    walk(cursor)
    if (cursor.at < bytes.length) throw new Flaw(`bytes are left over after the value, from byte ${cursor.at}`)
  }
}

function walkOf(type: AvroType, known: Map<AvroType, Walk>): Walk {
  const made = known.get(type)
  if (made !== undefined) return made
  // Types may contain themselves: whoever asks meanwhile gets what will call the walk once it is there.
  let walk: Walk
  known.set(type, (cursor) => walk(cursor))
  walk = newWalk(type, known)
  known.set(type, walk)
  return walk
}

const simple: Readonly<Record<string, Walk>> = {
  null: () => {},
  boolean: (cursor) => cursor.truth(),
  int: (cursor) => cursor.int(),
  long: (cursor) => cursor.long(),
  'abstract:long': (cursor) => cursor.long(),
  float: (cursor) => cursor.skip(4),
  double: (cursor) => cursor.skip(8),
  bytes: (cursor) => cursor.skip(cursor.long()),
  string: (cursor) => cursor.text(),
}

function newWalk(type: AvroType, known: Map<AvroType, Walk>): Walk {
  const parts = type as unknown as TypeParts
  const name = parts.typeName
  const of = (inner: AvroType): Walk => walkOf(inner, known)
  const plain = simple[name]
  if (plain !== undefined) return plain
  if (name === 'fixed') return (cursor) => cursor.skip(parts.size)
  if (name === 'enum') return (cursor) => cursor.index(parts.symbols.length)
  if (name.startsWith('union')) return unionWalk(parts.types.map(of))
  if (name === 'array') return blocksWalk(of(parts.itemsType))
  if (name === 'map') return blocksWalk(entryWalk(of(parts.valuesType)))
  if (name.startsWith('logical')) return of(parts.underlyingType)
  return recordWalk(parts.fields.map((field) => of(field.type)))
}

function recordWalk(fields: readonly Walk[]): Walk {
  return (cursor) => {
    cursor.enter()
    for (const field of fields) field(cursor)
    cursor.leave()
  }
}

function unionWalk(branches: readonly Walk[]): Walk {
  return (cursor) => branches[cursor.index(branches.length)]!(cursor)
}

function entryWalk(value: Walk): Walk {
  return (cursor) => {
    cursor.name()
    value(cursor)
  }
}

/** Arrays and maps come in blocks: a count, negative where the block's bytes follow it, and 0 at the end. */
function blocksWalk(item: Walk): Walk {
  return (cursor) => {
    cursor.enter()
    for (let count = cursor.long(); count !== 0; count = cursor.long()) {
      const bytes = count < 0 ? cursor.long() : undefined
      const start = cursor.at
      for (let left = Math.abs(count); left > 0; left--) {
        const before = cursor.at
        item(cursor)
        if (cursor.at === before) cursor.countEmpty()
      }
      if (bytes !== undefined && cursor.at - start !== bytes) throw new Flaw('a block is not as long as it says')
    }
    cursor.leave()
  }
}

const proto = new TextEncoder().encode('__proto__')

/** Where a walk is. */
class Cursor {
  readonly #bytes: Uint8Array
  #depth = 0
  #emptyItems = 0
  at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  enter(): void {
    if (++this.#depth > depthMax) throw new Flaw(`records, arrays and maps are nested deeper than ${depthMax}`)
  }

  leave(): void {
    this.#depth--
  }

  countEmpty(): void {
    if (++this.#emptyItems > emptyItemsMax) throw new Flaw(`there are over ${emptyItemsMax} items without bytes`)
  }

  /** @param length a whole number, which came with the bytes and may be negative */
  skip(length: number): void {
    if (length < 0 || length > this.#bytes.length - this.at) throw new Flaw('the bytes end in the middle of a value')
    this.at += length
  }

  /** A long as a number: exact wherever it may be a length or a count. */
  long(): number {
    return this.#zigZag(10)
  }

  int(): void {
    const value = this.#zigZag(5)
    if (value !== (value | 0)) throw new Flaw('an int has over 32 bits')
  }

  truth(): void {
    const start = this.at
    this.skip(1)
    if (this.#bytes[start]! > 1) throw new Flaw('a boolean is neither 0 nor 1')
  }

  index(length: number): number {
    const index = this.long()
    if (index >= 0 && index < length) return index
    throw new Flaw(`there is the index ${index} where ${length} are possible`)
  }

  text(): void {
    this.#utf8()
  }

  /** A key of a map, which becomes the name of a property. */
  name(): void {
    const text = this.#utf8()
    if (text.length === proto.length && proto.every((byte, index) => text[index] === byte))
      throw new Flaw('a map has the key __proto__, which no object can have as an ordinary property')
  }

  #utf8(): Uint8Array {
    const length = this.long()
    const start = this.at
    this.skip(length)
    const text = this.#bytes.subarray(start, this.at)
    if (!isUtf8(text)) throw new Flaw(`a text is not in UTF-8, from byte ${start}`)
    return text
  }

  #zigZag(bytesMax: number): number {
    let value = 0
    let scale = 1
    for (let count = 0; count < bytesMax; count++) {
      const start = this.at
      this.skip(1)
      const byte = this.#bytes[start]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      scale *= 128
    }
    throw new Flaw(`a number has over ${bytesMax} bytes`)
  }
}
