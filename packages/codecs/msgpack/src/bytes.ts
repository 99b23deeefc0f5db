import { Buffer } from 'node:buffer'

/**
 * The same value with every `Uint8Array` as a `Buffer` on the same memory, the only kind of bytes that the library writes
 * as bytes when told to mark all other kinds. What holds none is the very same object.
 *
 * @param depth how deep it looks; what is nested deeper is refused afterwards anyway
 */
export function withBuffers(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth < 0) return value
  if (Array.isArray(value)) return mapped(value, depth)
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (value instanceof Map) return new Map(mapped([...value], depth) as [unknown, unknown][])
  if (value instanceof Date || ArrayBuffer.isView(value)) return value
  if ('toJSON' in value && typeof value.toJSON === 'function') return withBuffers(value.toJSON(), depth - 1)
  return withBuffersInside(value as Readonly<Record<string, unknown>>, depth)
}

function withBuffersInside(value: Readonly<Record<string, unknown>>, depth: number): unknown {
  let changed: Record<string, unknown> | undefined
  for (const key of Object.keys(value)) {
    const old = value[key]
    const now = withBuffers(old, depth - 1)
    if (now === old) continue
    changed ??= { ...value }
    changed[key] = now
  }
  return changed ?? value
}

function mapped(values: readonly unknown[], depth: number): readonly unknown[] {
  let changed: unknown[] | undefined
  for (const [index, old] of values.entries()) {
    const now = withBuffers(old, depth - 1)
    if (now === old) continue
    changed ??= [...values]
    changed[index] = now
  }
  return changed ?? values
}
