/** Deeper data is not told apart; it also ends what contains itself. */
const depthMax = 64

/** Longer texts are not made: keys are kept in memory, many at a time. */
const lengthMaxDefault = 4_096

/**
 * Data as text: the same for equal data, whatever the order of its properties, and another for any other data. Undefined for
 * what is not plain data (functions, instances of classes, what contains itself) and for what is longer than `lengthMax`
 * characters: guessing there would answer one question with the answer of another.
 */
export function stableText(value: unknown, lengthMax = lengthMaxDefault): string | undefined {
  const parts: string[] = []
  const room = { left: lengthMax }
  return write(value, { parts, room, depth: 0 }) ? parts.join('') : undefined
}

interface Writing {
  readonly parts: string[]
  readonly room: { left: number }
  readonly depth: number
}

function add(text: string, { parts, room }: Writing): boolean {
  room.left -= text.length
  parts.push(text)
  return room.left >= 0
}

function write(value: unknown, to: Writing): boolean {
  switch (typeof value) {
    case 'string':
      return add(JSON.stringify(value), to)
    case 'number':
    case 'boolean':
    case 'undefined':
      return add(String(value), to)
    case 'bigint':
      return add(`${value}n`, to)
    case 'object':
      return value === null ? add('null', to) : writeObject(value, to)
    default:
      return false
  }
}

function writeObject(value: object, to: Writing): boolean {
  if (to.depth === depthMax) return false
  const inner = { ...to, depth: to.depth + 1 }
  if (Array.isArray(value)) {
    return add('[', to) && value.every((item) => write(item, inner) && add(',', to)) && add(']', to)
  }
  if (value instanceof Date) return add(`Date(${value.getTime()})`, to)
  if (value instanceof Uint8Array) return value.length <= to.room.left && add(`Bytes(${value.join()})`, to)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  const record = value as Readonly<Record<string, unknown>>
  const named = (name: string): boolean =>
    record[name] === undefined || (add(`${JSON.stringify(name)}:`, to) && write(record[name], inner) && add(',', to))
  return add('{', to) && Object.keys(record).sort().every(named) && add('}', to)
}
